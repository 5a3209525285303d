"""Writes an annotation file of the size of COCO's train2017, without images:

python -m tests.data.big_coco FILE [IMAGES OBJECTS]
"""

import json
import sys

import numpy as np
from mmdet.datasets import CocoDataset

from tests.conftest import COCO_IDS

IMAGES, OBJECTS = 118_287, 860_001


def write(path, images=IMAGES, objects=OBJECTS):
    """Polygons of 25 points on average, as COCO has, and a crowd with RLE in 100."""
    rng = np.random.default_rng(0)
    with open(path, 'w', encoding='utf-8') as file:
        file.write('{"info": {"description": "generated"}, "licenses": [], "images": [')
        for i in range(images):
            entry = dict(
                license=3,
                file_name=f'{i:012d}.jpg',
                coco_url=f'http://images.cocodataset.org/train2017/{i:012d}.jpg',
                height=480,
                width=640,
                date_captured='2013-11-14 11:18:45',
                flickr_url=f'http://farm9.staticflickr.com/8186/{i:010d}_ab_z.jpg',
                id=i,
            )
            file.write(', ' * (i > 0) + json.dumps(entry))
        file.write('], "annotations": [')
        for i in range(objects):
            file.write(', ' * (i > 0) + json.dumps(_object(rng, i, images)))
        names = CocoDataset.METAINFO['classes']
        categories = [dict(id=i, name=name) for i, name in zip(COCO_IDS, names)]
        file.write('], "categories": ' + json.dumps(categories) + '}')


def _object(rng, i, images):
    sizes = np.exp(rng.normal(4, 1, 2)).clip(4, 400)
    x, y = rng.uniform(0, (640, 480) - sizes)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 3 + rng.poisson(22)))
    angles = np.concatenate([angles, [0, np.pi / 2, np.pi, 1.5 * np.pi]])
    points = np.stack([np.cos(np.sort(angles)), np.sin(np.sort(angles))], 1)
    points = (points / 2 + 0.5) * sizes + (x, y)
    after = np.roll(points, -1, 0)
    area = abs((points[:, 0] * after[:, 1] - after[:, 0] * points[:, 1]).sum()) / 2
    is_crowd = i % 100 == 0
    if is_crowd:
        runs = rng.multinomial(640 * 480, np.full(301, 1 / 301)).tolist()
        segmentation = dict(counts=runs, size=[480, 640])
        area = sum(runs[1::2])
    else:
        segmentation = [points.round(2).ravel().tolist()]
    return dict(
        segmentation=segmentation,
        area=round(float(area), 4),
        iscrowd=int(is_crowd),
        image_id=int(rng.integers(images)),
        bbox=[round(float(v), 2) for v in (x, y, *sizes)],
        category_id=int(rng.choice(COCO_IDS)),
        id=i + 1,
    )


if __name__ == '__main__':
    write(sys.argv[1], *map(int, sys.argv[2:]))
