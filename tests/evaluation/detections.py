"""Small data sets and detections, in the forms that evaluations take."""

from copy import deepcopy

import numpy as np
from pycocotools import mask as mask_util

HEIGHT, WIDTH = 48, 64


def outline(box):
    """The polygon around a box (x1, y1, x2, y2)."""
    x1, y1, x2, y2 = box
    return [x1, y1, x2, y1, x2, y2, x1, y2]


def annotation(number, image, category, box, crowd=0, **more):
    x1, y1, x2, y2 = box
    polygon = [[float(value) for value in outline(box)]]
    rle = mask_util.frPyObjects(polygon, HEIGHT, WIDTH)[0]
    if crowd:
        ends = np.flatnonzero(np.diff(mask_util.decode(rle).ravel(order='F'))) + 1
        runs = np.diff([0, *ends.tolist(), HEIGHT * WIDTH]).tolist()
        if mask_util.decode(rle)[0, 0]:
            runs.insert(0, 0)
        polygon = dict(size=[HEIGHT, WIDTH], counts=runs)
    return dict(
        id=number,
        image_id=image,
        category_id=category,
        bbox=[x1, y1, x2 - x1, y2 - y1],
        area=float((x2 - x1) * (y2 - y1)),
        iscrowd=crowd,
        segmentation=polygon,
        **more,
    )


def results(data, found):
    """What ``CocoMetric`` keeps, of (box, label, score) by image id."""
    kept = []
    for image in data['images']:
        rows = found.get(image['id'], [])
        masks = [
            mask_util.frPyObjects(
                [[float(value) for value in outline(box)]],
                image['height'],
                image['width'],
            )[0]
            for box, _, _ in rows
        ]
        kept.append(
            (
                dict(width=image['width'], height=image['height'], img_id=image['id']),
                dict(
                    img_id=image['id'],
                    bboxes=np.array(
                        [box for box, _, _ in rows], dtype=np.float32
                    ).reshape(-1, 4),
                    labels=np.array([label for _, label, _ in rows], dtype=np.int64),
                    scores=np.array([score for _, _, score in rows], dtype=np.float32),
                    masks=masks,
                ),
            )
        )
    return kept


def in_coco_format(data, kept, iou_type):
    """The same as a list, as in a file of results."""
    ids = sorted(category['id'] for category in data['categories'])
    found = []
    for _, result in kept:
        for box, label, score, mask in zip(
            result['bboxes'].tolist(),
            result['labels'],
            result['scores'].tolist(),
            result['masks'],
        ):
            one = dict(
                image_id=result['img_id'], category_id=ids[label], score=float(score)
            )
            if iou_type == 'segm':
                one['segmentation'] = deepcopy(mask)
            else:
                one['bbox'] = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            found.append(one)
    return found
