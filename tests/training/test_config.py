import pytest
from mmengine.config import Config

from mmdet_eca import UserError, config_path
from mmdet_eca.training.config import innermost_datasets


def test_prefix_finds_this_packages_configs_from_anywhere(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text(
        "_base_ = 'mmdet_eca::mask_rcnn_eca_r50_fpn_1x.py'\n"
        'model = dict(backbone=dict(kernel_size=3))\n'
    )
    cfg = Config.fromfile(config)
    base = Config.fromfile(config_path('mask_rcnn_eca_r50_fpn_1x.py'))
    assert cfg.model.backbone.kernel_size == 3
    assert cfg.model.backbone.depth == base.model.backbone.depth == 50
    assert cfg.train_dataloader == base.train_dataloader


def test_other_packages_are_found_as_before(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text("_base_ = 'mmdet::_base_/schedules/schedule_1x.py'\n")
    assert Config.fromfile(config).train_cfg.max_epochs == 12


def test_unknown_config_is_named(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text("_base_ = 'mmdet_eca::mask_rcnn_eca_r51.py'\n")
    with pytest.raises(UserError, match="no config 'mask_rcnn_eca_r51.py'"):
        Config.fromfile(config)


def test_every_data_set_inside_wrappers_is_found():
    a, b, c = (dict(type='CocoDataset', ann_file=name) for name in 'abc')
    repeated = dict(type='RepeatDataset', times=2, dataset=b)
    wrapped = dict(type='ConcatDataset', datasets=[a, repeated])
    assert list(innermost_datasets(Config(wrapped))) == [a, b]
    assert list(innermost_datasets(c)) == [c]
