import json

import pytest
import torch

from mmdet_eca import AttentionResNet, UserError
from mmdet_eca.benchmark import benchmark_model
from mmdet_eca.benchmark.model import _samples, build_row
from tests.conftest import run

PLAIN = 'configs/mask_rcnn_r50_fpn_1x.py'
ECA = 'configs/mask_rcnn_eca_r50_fpn_1x.py'
DIGITS = 'configs/digits/mask_rcnn_eca_r50_digits.py'


def test_tool_compares_backbones(tmp_path):
    done = run('python', 'tools/benchmark.py', 'model', PLAIN,
               f'{PLAIN}@efficient_conv_bn_eval', f'{ECA}@backbone.folded=False',
               f'{ECA}@channels_last', '--backbone-only', '--size', 192, 256,
               '--rounds', 1, '--out', tmp_path)
    results = json.loads((tmp_path / 'model.json').read_text())
    saved = [row['saved activations'] for row in results.values()]
    assert saved[3] < saved[0] < saved[2]
    assert saved[3] < saved[1]  # which folds where the weights are larger too
    assert f'| {saved[3] / saved[0]:.3f} ' in done.stdout.replace('  ', ' ')
    for row in results.values():
        assert row['training step']['seconds'] > 0
        assert len(row['inference, one image']['ratios']) == 1
    assert (tmp_path / 'model.txt').read_text().strip() in done.stdout
    assert (tmp_path / 'model.png').stat().st_size > 10000


def test_whole_detectors_and_the_limit_of_what_is_saved(tmp_path):
    direct = f'{DIGITS}@backbone.folded=False@backbone.norm_eval=True'
    rows = [direct, f'{DIGITS}@backbone.norm_eval=True']
    table = benchmark_model(rows, False, 2, (96, 128), 1, str(tmp_path))
    results = json.loads((tmp_path / 'model.json').read_text())
    saved = [results[row]['saved activations'] for row in rows]
    assert saved[1] < saved[0] and f'{saved[1] / saved[0]:.3f}' in table
    with pytest.raises(UserError, match=r'saves \d\.\d+ of the.*more than 0.1'):
        benchmark_model(rows, False, 2, (96, 128), 1, str(tmp_path), 0.1)


def test_saved_activations_are_counted_once():
    """A ReLU in place shares the convolution's output: 2 x 4 x 8 x 8 floats,
    and the input, which the weight's gradient needs."""
    from mmdet_eca.benchmark.model import _saved_bytes
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(inplace=True))
    saved = _saved_bytes(network, torch.randn(2, 3, 8, 8))
    assert saved == (2 * 4 * 8 * 8 + 2 * 3 * 8 * 8) * 4


def test_options_of_a_row():
    backbone = build_row(
        f'{PLAIN}@channels_last@backbone.type=AttentionResNet'
        '@backbone.depth=18', True)
    assert isinstance(backbone, AttentionResNet) and len(backbone.layer1) == 2
    assert backbone.layer2[0].conv1.weight.is_contiguous(
        memory_format=torch.channels_last)


def test_heads_have_the_same_work_in_every_row():
    proposals = []
    images = torch.rand(2, 3, 96, 128)
    for row in (DIGITS, f'{DIGITS}@backbone.kernel_size=3'):
        model = build_row(row, False).eval()
        with torch.no_grad():
            proposals.append([
                found.bboxes for found in model.rpn_head.predict(
                    model.extract_feat(images), _samples(images))])
    for one, other in zip(*proposals):
        assert len(one) > 20
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(('row', 'message'), [
    ('configs/none.py', 'configs/none.py does not exist: give a config file'),
    (f'{ECA}@chanels_last', "unknown option 'chanels_last'.*channels_last,"),
    ('timm:resnet50', 'timm is not installed: pip install timm'),
    ('mmpretrain:SEResNet', 'mmpretrain is not installed: pip install'),
])
def test_wrong_rows_are_named(row, message):
    with pytest.raises(UserError, match=message):
        build_row(row, True)
