"""#Param and GFLOPs of Tables 5 and 6."""

import pytest
from mmengine.config import Config

from mmdet_eca import config_path
from mmdet_eca.paper.detector_counts import count_detector
from mmdet_eca.paper.detector_counts import detector_columns as columns


# #Param in millions and GFLOPs, copied from the paper.
@pytest.mark.parametrize(
    ('name', 'params_m', 'gflops', 'near'),
    [
        ('faster_rcnn_r50_fpn_1x', 41.53, 207.07, 0.01),
        ('faster_rcnn_eca_r50_fpn_1x', 41.53, 207.18, 0.01),
        ('retinanet_se_r101_fpn_1x', 61.45, 315.58, 0.01),
        ('mask_rcnn_r50_fpn_1x', 44.18, 275.58, 0.04),
    ],
)
def test_columns_of_the_paper(name, params_m, gflops, near):
    counted = columns(name)
    assert counted['params_m'] == pytest.approx(params_m, abs=0.01)
    assert counted['gflops'] == pytest.approx(gflops, abs=near)


def test_gcnets_rows_count_all_parameters():
    plain = count_detector(Config.fromfile(config_path('mask_rcnn_r50_fpn_1x.py')))
    # Each block: attention pooling C + 1, two 1x1 convolutions with biases
    # and a layer norm of C / 16 channels.
    gc = sum(
        blocks * (c + 1 + 2 * c * c // 16 + c // 16 + c + 2 * c // 16)
        for c, blocks in ((512, 4), (1024, 6), (2048, 3))
    )
    nl = 4 * 1024 * 512 + 3 * 512 + 1024
    for attention, paper, more in (('gc', 46.9, gc), ('nl', 46.5, nl)):
        counted = columns(f'mask_rcnn_{attention}_r50_fpn_1x')['params_m']
        assert counted == pytest.approx((plain.parameters + more) / 1e6, abs=1e-6)
        assert counted == pytest.approx(paper, abs=0.05)


def test_nl_adds_its_convolutions_and_matrix_products():
    """On the 50x80 positions of c4; its trained SyncBN counts as BN does."""
    nl, plain = (
        columns(f'mask_rcnn{name}_r50_fpn_1x')['gflops'] for name in ('_nl', '')
    )
    convolutions = 50 * 80 * (4 * 1024 * 512 + 3 * 512 + 1024)
    products = 2 * (50 * 80) ** 2 * 512
    assert nl - plain == pytest.approx((convolutions + products) / 1e9, abs=1e-3)


def test_mask_head_upsamples_at_its_outputs_resolution():
    mask, faster = (
        columns(f'{name}_rcnn_r50_fpn_1x')['gflops'] for name in ('mask', 'faster')
    )
    convolutions = 4 * 14 * 14 * (9 * 256 * 256 + 256 + 256)  # with bias and ReLU
    upsampled = 28 * 28 * (4 * 256 * 256 + 256 + 256)
    logits = 28 * 28 * 80 * (256 + 1)
    by_hand = 100 * (convolutions + upsampled + logits) / 1e9
    assert mask - faster == pytest.approx(by_hand, abs=1e-3)
