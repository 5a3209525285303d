"""With every detector config of ours a resumed training is the uninterrupted one.

Sampling, augmentation, schedules, optimiser and averages are those of the config; the
numbers are equal bit by bit.
"""

from contextlib import suppress

import pytest
import torch

from tests.tools.in_process import call, log
from tests.training.resuming.runs import Killed, logged
from tests.training.resuming.small_configs import CONFIGS, kind, small_config

# Other configs differ from one of these in depth, kernel size and first weights alone.
NAMES = [
    'atss_eca_r50_fpn_1x.py',
    'cascade_rcnn_eca_r50_fpn_1x.py',
    'dino_eca_r50_4scale_12e.py',
    'faster_rcnn_eca_r50_fpn_1x.py',
    'faster_rcnn_r50_fpn_1x.py',
    'faster_rcnn_se_r50_fpn_1x.py',
    'fcos_eca_r50_fpn_gn-head_1x.py',
    'mask_rcnn_eca_r50_fpn_1x.py',
    'mask_rcnn_eca_r50_fpn_finetune_coco.py',
    'mask_rcnn_eca_r50d_fpn_1x.py',
    'mask_rcnn_gc_r50_fpn_1x.py',
    'mask_rcnn_nl_r50_fpn_1x.py',
    'mask_rcnn_r50_fpn_1x.py',
    'mask_rcnn_se_r50_fpn_1x.py',
    'retinanet_eca_r50_fpn_1x.py',
    'retinanet_r50_fpn_1x.py',
    'retinanet_se_r50_fpn_1x.py',
    'legacy/faster_rcnn_eca_r50_fpn_1x.py',
    'legacy/mask_rcnn_eca_r50_fpn_1x.py',
    'legacy/retinanet_eca_r50_fpn_1x.py',
]


def train(cfg, work_dir, *words, stop=None):
    work_dir.mkdir(exist_ok=True)
    if stop is not None:
        cfg.custom_hooks.append(dict(type='StopHook', iteration=stop))
    cfg.dump(work_dir / 'config.py')
    with suppress(Killed):
        call('train', work_dir / 'config.py', '--work-dir', work_dir, *words)


def test_every_config_is_of_a_tested_kind():
    kinds = {name: kind(name) for name in CONFIGS}
    assert set(kinds.values()) == {kinds[name] for name in NAMES}
    assert len(CONFIGS) > 30


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_killed_within_an_epoch_and_after_one(name, coco, tmp_path):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    train(small_config(name, coco), whole)
    train(small_config(name, coco, minutes=0), killed, stop=3)
    train(small_config(name, coco), killed, '--resume', stop=6)
    assert 'resumed epoch: 0, iter: 3' in log(killed)
    train(small_config(name, coco), killed, '--resume')
    assert 'resumed epoch: 1, iter: 4' in log(killed)
    assert list(logged(whole)) == list(range(1, 9))
    assert logged(killed) == logged(whole)
    one, other = (torch.load(folder / 'epoch_2.pth') for folder in (whole, killed))
    for key in ('state_dict', 'ema_state_dict'):
        for weight, value in one[key].items():
            assert torch.equal(other[key][weight], value), weight
