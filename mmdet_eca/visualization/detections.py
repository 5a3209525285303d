import os.path as osp
from collections.abc import Sequence
from functools import lru_cache

import cv2
import matplotlib
import mmcv
import numpy as np
import pycocotools.mask as mask_util
from PIL import Image, ImageDraw, ImageFont

_LEAST_SIDE = 480  # pixels of the shorter side, for legible labels
_OPACITY = 0.45  # of masks

Color = Sequence[int]  # red, green, blue, 0 to 255


def draw_detections(
    image: np.ndarray,
    found: dict,
    classes: Sequence[str],
    colors: Sequence[Color],
    score_thr: float = 0.3,
    labels: bool = True,
) -> np.ndarray:
    """Draws boxes, masks, names and scores over an image.

    MMDetection's DetLocalVisualizer draws through matplotlib, which takes about as
    long as a small detector on a CPU and keeps Python for itself meanwhile. This
    takes some milliseconds. An image whose shorter side has less than 480 pixels is
    enlarged by a whole factor, so that the names hide less and can be read.

    Args:
        image (np.ndarray): Shape (H, W, 3), BGR, values from 0 to 255.
        found (dict): Lists 'bboxes' (left, top, right, bottom), 'scores', 'labels'
            and perhaps 'masks' (RLE of the image's size), as MMDetection's inferencer
            gives them.
        classes (Sequence[str]): The name of each label.
        colors (Sequence[tuple[int]]): The colour of each label: red, green, blue, as
            MMDetection's palettes give them.
        score_thr (float): Lowest score of a detection that is drawn.
        labels (bool): Whether names and scores are drawn.

    Returns:
        np.ndarray: Shape (H, W, 3) or a multiple, BGR.
    """
    zoom = max(1, round(_LEAST_SIDE / min(image.shape[:2])))
    canvas = mmcv.bgr2rgb(image.astype(np.uint8, copy=False))
    if zoom > 1:
        canvas = mmcv.imrescale(canvas, float(zoom), interpolation='bicubic')
    paint = [tuple(map(int, color)) for color in colors]
    shown = [i for i, score in enumerate(found['scores']) if score >= score_thr]
    shown.sort(key=lambda i: found['scores'][i])  # the surest on top
    for i in shown if 'masks' in found else ():
        _draw_mask(canvas, found['masks'][i], paint[found['labels'][i]], zoom)
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    side = min(picture.size)
    font = _font(max(13, side // 40))
    for i in shown:
        box = [zoom * value for value in found['bboxes'][i]]
        pen.rectangle(box, outline=paint[found['labels'][i]], width=1 + side // 300)
    for i in shown if labels else ():
        label = found['labels'][i]
        text = f'{classes[label]} {found["scores"][i]:.2f}'
        corner = [zoom * value for value in found['bboxes'][i][:2]]
        _draw_label(pen, text, corner, picture.width, paint[label], font)
    return mmcv.rgb2bgr(np.asarray(picture))


def _draw_mask(
    canvas: np.ndarray, rle: dict, color: tuple[int, ...], zoom: int
) -> None:
    """Blends a mask into the image, and draws its outline."""
    left, top, width, height = map(int, mask_util.toBbox(rle))
    if not width or not height:
        return
    mask = mask_util.decode(rle)[top : top + height, left : left + width]
    if zoom > 1:
        size = (zoom * width, zoom * height)
        mask = (cv2.resize(255 * mask, size) > 127).astype(np.uint8)  # smooth edges
    region = canvas[zoom * top :, zoom * left :][: mask.shape[0], : mask.shape[1]]
    outlines, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    painted = region.copy()
    cv2.drawContours(painted, outlines, -1, color, cv2.FILLED)  # but for the holes
    blended = cv2.addWeighted(painted, _OPACITY, region, 1 - _OPACITY, 0)
    cv2.drawContours(blended, outlines, -1, color)
    region[...] = blended


def _draw_label(
    pen: ImageDraw.ImageDraw,
    text: str,
    corner: Sequence[float],
    image_width: int,
    color: tuple[int, ...],
    font: ImageFont.FreeTypeFont,
) -> None:
    """Writes on a ground of the box's colour, above the box if there is room."""
    _, _, width, height = font.getbbox(text)
    width, height = width + 4, height + 3
    left = min(max(corner[0], 0), max(image_width - width, 0))
    top = corner[1] - height if corner[1] >= height else max(corner[1], 0)
    pen.rectangle([left, top, left + width, top + height], fill=color)
    red, green, blue = color
    is_bright = 0.299 * red + 0.587 * green + 0.114 * blue > 140
    pen.text(
        (left + 2, top + 1), text, fill='black' if is_bright else 'white', font=font
    )


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Returns matplotlib's own font, which has many alphabets."""
    path = osp.join(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf')
    return ImageFont.truetype(path, size)
