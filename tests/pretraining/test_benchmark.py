import re

import numpy as np
import pytest
import torch

from mmdet_eca import UserError
from mmdet_eca.pretraining import (
    ImagePreprocessor,
    LoadRandomResizedCrop,
    RandomMirror,
    benchmark_data,
    collate_images,
)
from mmdet_eca.pretraining.benchmark import MEAN, STD, PlainPipeline, write_jpegs
from tests.tools.in_process import call


def test_both_pipelines_give_the_same_image(tmp_path):
    """With the same crop and flip, to one grey level: Pillow resizes for one."""
    paths = write_jpegs(str(tmp_path), 500, 375, 1)
    plain = PlainPipeline(paths, 224)
    preprocessor = ImagePreprocessor(mean=MEAN, std=STD, bgr_to_rgb=True)
    for seed in range(4):
        np.random.seed(seed)
        expected = plain[0]
        np.random.seed(seed)
        results = RandomMirror()(LoadRandomResizedCrop(224)(dict(img_path=paths[0])))
        batch = collate_images([dict(inputs=results['img'], data_samples=0)])
        batch.pop('corrupt')
        image = preprocessor(batch)['inputs'][0]
        grey_levels = (image - expected).abs() * torch.tensor(STD)[:, None, None]
        assert grey_levels.max() < 1.01


def test_tool_prints_a_table(capsys):
    call('benchmark', 'data', '--num-images', 2, '--rounds', 1)
    table = [
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith('|')
    ]
    header, *rows = table
    assert header[:5] == ['JPEGs', 'in', 'mmdet_eca', 'plain', 'decoding']
    assert [row[:2] for row in rows] == [
        [size, place]
        for size in ('500x375', '2000x1500')
        for place in ('this process', 'a worker')
    ]
    for row in rows:
        ours, plain, decoding = map(int, row[2:5])
        for cell, other in ((row[5], plain), (row[6], decoding)):
            ratio = float(re.fullmatch(r'([\d.]+) \(\1 \.\. \1\)', cell)[1])
            # The rates are rounded to whole images, the ratio to hundredths.
            low = (ours - 0.5) / (other + 0.5) - 0.01
            assert low <= ratio <= (ours + 0.5) / max(other - 0.5, 1e-9) + 0.01


def test_wrong_numbers_are_named():
    with pytest.raises(UserError, match='rounds must be at least 1, got 0'):
        benchmark_data(rounds=0)
