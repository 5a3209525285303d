"""The scale, against what MMDetection's own Resize does with it."""

import numpy as np
import pytest
from mmcv.transforms import RandomChoiceResize
from mmdet.datasets.transforms import Resize
from mmengine.config import Config

from mmdet_eca import config_path
from mmdet_eca.data import CocoFile, Findings
from mmdet_eca.data.coco_file import CocoLists
from mmdet_eca.data.scale import propose_scale, resize_pipeline


def data_of(size, *objects):
    """One image of each width and height, with square objects of these sides."""
    sizes = np.array([size], float)
    boxes = np.array([(0, 0, side, side) for side in objects], float)
    ones = np.ones(len(boxes), bool)
    zeros = np.zeros(len(boxes), int)
    return CocoFile(
        path='',
        lists=CocoLists(),
        classes=('a',),
        category_ids=[1],
        image_ids=[1],
        file_names=['a'],
        sizes=sizes,
        ids=[*range(len(boxes))],
        images=zeros,
        labels=zeros,
        boxes=boxes,
        areas=boxes[:, 2:].prod(1),
        mask_areas=boxes[:, 2:].prod(1),
        has_mask=ones,
        is_crowd=~ones,
        is_loaded=ones,
        findings=Findings(''),
    )


@pytest.mark.parametrize(
    ('size', 'objects', 'box'),
    [
        ((640, 480), [40, 60, 100], (1333, 800)),  # COCO
        ((480, 640), [40, 60, 100], (1333, 800)),
        ((500, 375), [100], (1066, 640)),  # 5/3 x 375 = 625
        ((240, 160), [100], (480, 288)),  # 5/3 x 160 = 267
        ((240, 160), [16], (533, 320)),  # twice, so that 16 become 32
        ((240, 160), [2], (2000, 1200)),  # sixteen times would be 2560
        ((1920, 1080), [200], (1333, 800)),
        ((4000, 3000), [900], (1333, 800)),
        ((6576, 4384), [150], (1600, 960)),  # 32 / 150 x 4384 = 935
        ((6576, 4384), [20], (2000, 1200)),
        ((2000, 200), [50], (1333, 800)),
    ],
)
def test_scale(size, objects, box):
    scale = propose_scale(data_of(size, *objects))
    assert scale.box == box
    width, height = size
    image = dict(img=np.zeros((height, width, 3), np.uint8))
    factor = Resize(scale=box, keep_ratio=True)(image)['scale_factor'][0]
    assert scale.factor == pytest.approx(factor, rel=0.01)
    assert scale.small == pytest.approx(min(objects) * factor, rel=0.5)
    assert scale.is_small == (objects in ([2], [20]))
    assert scale.short <= 800 or factor * objects[0] < 33


def test_a_quarter_of_the_objects_may_be_smaller():
    sides = np.linspace(10, 50, 101)
    scale = propose_scale(data_of((240, 160), *sides))
    share = (sides * scale.factor < scale.small).mean()
    assert share == pytest.approx(0.25, abs=0.01)
    assert scale.small == pytest.approx(20 * scale.factor)


def test_sizes_in_pipelines_change_together():
    """DINO's: the sides of both choices and the crop between them."""
    cfg = Config.fromfile(config_path('dino_eca_r50_4scale_12e.py'))
    pipeline = resize_pipeline(cfg.train_dataloader.dataset.pipeline, 400)
    first, second = pipeline[3]['transforms']
    assert first[0]['scales'][0] == (240, 666) and first[0]['scales'][-1] == (400, 666)
    assert second[1]['crop_size'] == (192, 300)
    assert RandomChoiceResize(first[0]['scales'], keep_ratio=True).scales[-1] == (
        400,
        666,
    )
    assert [step['type'] for step in pipeline] == [
        step['type'] for step in cfg.train_dataloader.dataset.pipeline
    ]
