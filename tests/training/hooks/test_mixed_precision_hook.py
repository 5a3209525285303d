"""``train --amp`` and ``test --amp`` on a CPU: the networks compute in bfloat16, and
what follows them in float32."""

import pickle

import pytest
import torch
from mmdet.models.losses import CrossEntropyLoss
from torch import nn

from mmdet_eca.training import mixed_precision
from tests.conftest import ROOT
from tests.tools.in_process import call, log

CONFIG = """
_base_ = '{root}/configs/digits/mask_rcnn_eca_r50_digits.py'
loader = dict(num_workers=0, persistent_workers=False, batch_size=4,
              dataset=dict(data_root='{digits}/'))
train_dataloader = val_dataloader = test_dataloader = loader
val_evaluator = test_evaluator = dict(
    ann_file='{digits}/annotations/instances_val.json')
model = dict(backbone=dict(base_channels=16, init_cfg=None),
             neck=dict(in_channels=[64, 128, 256, 512]),
             test_cfg=dict(rcnn=dict(score_thr=0.0, max_per_img=5)))
train_cfg = dict(max_epochs=1)
"""


@pytest.fixture(scope='module')
def config(digits, tmp_path_factory):
    path = tmp_path_factory.mktemp('amp') / 'config.py'
    path.write_text(CONFIG.format(root=ROOT, digits=digits))
    return path


@pytest.fixture
def seen(monkeypatch):
    """The data types that convolutions and losses give."""
    types = dict(convolution=set(), loss=set())

    def noted(method, name):
        def forward(self, *args, **kwargs):
            out = method(self, *args, **kwargs)
            types[name].add(out.dtype)
            return out

        return forward

    for kind, method, name in (
        (nn.Conv2d, '_conv_forward', 'convolution'),
        (CrossEntropyLoss, 'forward', 'loss'),
    ):
        monkeypatch.setattr(kind, method, noted(getattr(kind, method), name))
    return types


def test_training_and_test(config, seen, tmp_path, monkeypatch):
    monkeypatch.setattr(mixed_precision, 'has_bfloat16', lambda: False)
    call('train', config, '--amp', '--work-dir', tmp_path)
    assert seen == dict(convolution={torch.bfloat16}, loss={torch.float32})
    assert 'This CPU has no bfloat16' in log(tmp_path)
    checkpoint = tmp_path / 'epoch_1.pth'
    stored = torch.load(checkpoint)
    weights = stored['state_dict'].values()
    assert all(w.dtype == torch.float32 for w in weights if w.is_floating_point())
    seen['convolution'].clear()
    found = []
    for amp in ([], ['--amp']):
        out = tmp_path / f'found{len(amp)}.pkl'
        call('test', config, checkpoint, '--out', out, '--work-dir', tmp_path, *amp)
        with open(out, 'rb') as file:
            found.append([image['pred_instances'] for image in pickle.load(file)])
        assert torch.bfloat16 in seen['convolution'] or not amp
    for one, other in zip(*found):
        assert other['bboxes'].dtype == torch.float32
        torch.testing.assert_close(other['scores'], one['scores'], atol=0.02, rtol=0.1)
