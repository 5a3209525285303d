import re
import sys

import numpy as np
import torch

from mmdet_eca import ImagePreprocessor
from mmdet_eca.benchmark.data import (MEAN, STD, PlainPipeline, measure,
                                      write_jpegs)
from mmdet_eca.datasets import (LoadRandomResizedCrop, RandomMirror,
                                collate_images)
from tests.conftest import run


def test_both_pipelines_give_the_same_image(tmp_path):
    """With the same crop and flip, decoded at full size by either."""
    path, = write_jpegs(str(tmp_path), 500, 375, 1)
    preprocessor = ImagePreprocessor(mean=MEAN, std=STD, bgr_to_rgb=True)
    for seed in range(4):
        np.random.seed(seed)
        plain = PlainPipeline(224)(path)
        np.random.seed(seed)
        results = RandomMirror()(LoadRandomResizedCrop(224)(dict(img_path=path)))
        batch = collate_images([dict(inputs=results['img'], data_samples=0)])
        batch.pop('corrupt')
        ours = preprocessor(batch)['inputs'][0]
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)


def test_large_images_are_read_faster_than_they_decode_whole():
    rates = measure(2000, 1500, 4, 3, 224, 4)
    assert np.median(rates.ours / rates.plain) > 1.3
    assert np.median(rates.ours / rates.decoding) > 1.2
    assert all(len(rate) == 3 for rate in rates)


def test_tool_prints_a_table():
    done = run(sys.executable, 'tools/benchmark.py', 'data', '--num-images', 2,
               '--rounds', 1)
    rows = done.stdout.splitlines()
    assert rows[0].split()[:4] == ['JPEGs', 'ours', 'plain', 'decoding']
    for row, size in zip(rows[1:3], ('500x375', '2000x1500')):
        assert re.match(size + r'( +\d+){3}( +[\d.]+ \([\d.]+ \.\. [\d.]+\)){2}$',
                        row)


def test_wrong_numbers_are_named():
    done = run(sys.executable, 'tools/benchmark.py', 'data', '--rounds', 0,
               check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith('rounds must be at least 1, got 0')
