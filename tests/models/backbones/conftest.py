import pytest

from mmdet_eca import ECAResNet
from tests.models.backbones.folded_and_direct import SMALL, pair


@pytest.fixture
def networks():
    """A folded and a direct ECA-ResNet-50 of the same weights, in evaluation."""
    folded, direct = pair(ECAResNet, depth=50, **SMALL)
    return folded.eval(), direct.eval()
