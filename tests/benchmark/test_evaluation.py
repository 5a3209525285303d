import re

import numpy as np
import pytest
from pycocotools import mask as mask_util

from mmdet_eca import UserError
from mmdet_eca.benchmark import benchmark_evaluation, evaluation
from mmdet_eca.benchmark.evaluation_data import random_data_set, random_detections
from tests.tools.in_process import call


def test_tool_compares_both(tmp_path, capsys):
    words = ['--images', 8, '--classes', 3, '--per-image', 10, '--rounds', 2]
    call('benchmark', 'evaluation', *words, '--out', tmp_path)
    printed = capsys.readouterr().out
    written = (tmp_path / 'evaluation.md').read_text()
    for text in (printed, written):
        for row in ('whole', 'evaluation alone'):
            for kind in ('boxes', 'masks'):
                assert re.search(rf'{row}, {kind} +\| .* \d\.\d+ \(.* to .*\)', text)
        assert re.search(r'encoding masks, an image +\|', text)
    assert 'torch' in written  # where it was measured


def test_other_figures_are_no_result(tmp_path, monkeypatch):
    class Other(evaluation.FastCOCOeval):
        def summarize(self):
            self.eval['precision'] *= 0.9
            super().summarize()

    monkeypatch.setattr(evaluation, 'FastCOCOeval', Other)
    with pytest.raises(UserError, match='bbox: faster-coco-eval gives other figures'):
        benchmark_evaluation(4, 2, 8, 1, str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_the_set_is_like_cocos():
    """5000 images of val2017: 36,781 objects, 41 % small and 24 % large, 446 crowds,
    48 images without any, 2.9 classes an image."""
    data, objects = random_data_set(600, 80)
    annotations = data['annotations']
    assert 6.2 < len(annotations) / 600 < 8.4
    areas = np.array([thing['area'] for thing in annotations])
    assert 0.35 < (areas < 32**2).mean() < 0.48 and 0.18 < (areas > 96**2).mean() < 0.3
    assert 0.005 < np.mean([thing['iscrowd'] for thing in annotations]) < 0.025
    classes = [{thing['label'] for thing in things} for things in objects]
    assert 2 < np.mean([len(found) for found in classes if found]) < 4
    assert 0 < sum(not things for things in objects) < 20
    sizes = {image['id']: (image['height'], image['width']) for image in data['images']}
    for thing in annotations[:200]:
        outline, size = thing['segmentation'], sizes[thing['image_id']]
        mask = mask_util.frPyObjects(outline, *size)
        if not thing['iscrowd']:
            mask = mask_util.merge(mask)
        assert mask_util.area(mask) == thing['area']
    few = dict(data, images=data['images'][:5])
    kept = random_detections(few, objects[:5], 20)
    assert all(
        len(result['masks']) == len(result['scores']) == 20 for _, result in kept
    )
    assert all((np.diff(result['scores']) <= 0).all() for _, result in kept)
