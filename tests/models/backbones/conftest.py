import os.path as osp

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.runner import checkpoint

from mmdet_eca import ECAResNet
from tests.models.backbones.folded_and_direct import SMALL, pair
from tests.models.backbones.mmdets_models import CONFIGS


@pytest.fixture
def networks():
    """A folded and a direct ECA-ResNet-50 of the same weights, in evaluation."""
    folded, direct = pair(ECAResNet, depth=50, **SMALL)
    return folded.eval(), direct.eval()


@pytest.fixture(scope='module')
def _surroundings():
    """What mmdet's models ask for: a process group for SyncBN, and no downloads of
    teachers."""

    def refuse(url, **_):
        raise ConnectionError(f'needs {url}')

    torch.distributed.init_process_group(
        'gloo', store=torch.distributed.HashStore(), rank=0, world_size=1
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(osp.dirname(CONFIGS))  # teachers' configs are found here
        patch.setattr(checkpoint, 'load_url', refuse)
        patch.setattr(BaseModule, '_dump_init_info', lambda self: None)
        yield
    torch.distributed.destroy_process_group()
