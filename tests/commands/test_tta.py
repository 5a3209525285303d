"""Test-time augmentation of a config that sets none up itself."""

import copy

from mmengine.config import Config

from mmdet_eca import config_path
from mmdet_eca.commands.test import use_tta


def test_every_data_set_of_a_concatenation_is_flipped():
    cfg = Config.fromfile(config_path('digits/faster_rcnn_eca_r50_digits.py'))
    inner = cfg.test_dataloader.dataset
    plain = copy.deepcopy(cfg).test_dataloader.dataset.pipeline
    cfg.test_dataloader.dataset = dict(
        type='ConcatDataset',
        datasets=[dict(type='RepeatDataset', times=1, dataset=inner), inner],
    )
    use_tta(cfg)
    repeated, direct = cfg.test_dataloader.dataset.datasets
    for dataset in (repeated.dataset, direct):
        *load, augmentation = dataset.pipeline
        assert load == plain[:-1]
        flips, (pack,) = augmentation.transforms
        assert [flip.prob for flip in flips] == [1.0, 0.0]
        assert {*plain[-1].meta_keys, 'flip', 'flip_direction'} == {*pack.meta_keys}
    assert cfg.model.type == 'DetTTAModel' and cfg.model.module.type == 'FasterRCNN'
