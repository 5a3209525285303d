"""A small data set in which nothing is wrong."""

import json

import cv2
import numpy as np


def make_data(folder):
    """Six images, 60 x 40, each with an object; returns what the file says."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(6):
        pixels = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{i}.png'), pixels)
    return dict(
        images=[
            dict(id=10 + i, file_name=f'{i}.png', width=60, height=40) for i in range(6)
        ],
        annotations=[
            dict(
                id=i + 1,
                image_id=10 + i,
                category_id=(7, 3)[i % 2],
                bbox=[2, 3, 20, 30],
                area=600,
                iscrowd=0,
                segmentation=[[2, 3, 22, 3, 22, 33, 2, 33]],
            )
            for i in range(6)
        ],
        categories=[dict(id=7, name='cat'), dict(id=3, name='dog')],
    )


def write(content, path):
    path.write_text(json.dumps(content), encoding='utf-8')
    return str(path)
