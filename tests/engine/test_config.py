import pytest
from mmengine.config import Config

from mmdet_eca import UserError, config_path


def test_prefix_finds_our_configs_from_anywhere(tmp_path):
    theirs = tmp_path / 'theirs.py'
    theirs.write_text(
        "_base_ = 'mmdet_eca::mask_rcnn_eca_r50_fpn_1x.py'\n"
        'model = dict(backbone=dict(kernel_size=3))\n'
    )
    cfg = Config.fromfile(theirs)
    ours = Config.fromfile(config_path('mask_rcnn_eca_r50_fpn_1x.py'))
    assert cfg.model.backbone.kernel_size == 3
    assert cfg.model.backbone.depth == ours.model.backbone.depth == 50
    assert cfg.train_dataloader == ours.train_dataloader


def test_other_packages_are_found_as_before(tmp_path):
    theirs = tmp_path / 'theirs.py'
    theirs.write_text("_base_ = 'mmdet::_base_/schedules/schedule_1x.py'\n")
    assert Config.fromfile(theirs).train_cfg.max_epochs == 12


def test_unknown_config_is_named(tmp_path):
    theirs = tmp_path / 'theirs.py'
    theirs.write_text("_base_ = 'mmdet_eca::mask_rcnn_eca_r51.py'\n")
    with pytest.raises(UserError, match="no config 'mask_rcnn_eca_r51.py'"):
        Config.fromfile(theirs)
