"""Checkpoints of earlier releases stay loadable.

``eca_resnet18_0.1.pth`` holds an ``ECAResNet(18, base_channels=2)`` with random
weights, by the names of release 0.1.
"""

import os.path as osp

import torch
from mmengine.runner import load_checkpoint

from mmdet_eca import ECAResNet

FILE = osp.join(osp.dirname(__file__), 'eca_resnet18_0.1.pth')


def test_the_file_of_release_0_1_loads_whole():
    backbone = ECAResNet(18, base_channels=2)
    load_checkpoint(backbone, FILE, strict=True)
    stored = torch.load(FILE, weights_only=True)
    state = backbone.state_dict()
    assert set(stored) == set(state)
    assert all(torch.equal(stored[name], state[name]) for name in stored)
    assert stored['layer3.1.eca.conv.weight'].shape == (1, 1, 3)
