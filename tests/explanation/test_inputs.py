"""The annotated objects are those of the file, whatever the test pipeline does."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdet_eca import config_path
from mmdet_eca.explanation.inputs import read_dataset


@pytest.mark.parametrize('annotations_first', [True, False])
def test_annotations_are_in_pixels_of_the_file(annotations_first, digits):
    cfg = Config.fromfile(config_path('digits/faster_rcnn_eca_r50_digits.py'))
    init_default_scope('mmdet')
    dataset = cfg.test_dataloader.dataset
    dataset.data_root = digits
    load, resize, annotations, pack = (
        next(step for step in dataset.pipeline if step.type == kind)
        for kind in ('LoadImageFromFile', 'Resize', 'LoadAnnotations', 'PackDetInputs')
    )
    resize.scale = (480, 320)  # the images have 240 x 160
    middle = [annotations, resize] if annotations_first else [resize, annotations]
    dataset.pipeline = [load, *middle, pack]
    (image, *_) = read_dataset(SimpleNamespace(cfg=cfg), 1)
    with open(f'{digits}/annotations/instances_val.json') as file:
        content = json.load(file)
    first = content['images'][0]['id']
    boxes = [a['bbox'] for a in content['annotations'] if a['image_id'] == first]
    expected = [(x, y, x + width, y + height) for x, y, width, height in boxes]
    np.testing.assert_allclose(image.truth.bboxes, expected, atol=1e-3)
    assert image.data['inputs'].shape == (3, 320, 480)
