"""#Param and GFLOPs as the paper has them."""

import json
import sys

import pytest
from mmengine.config import Config

from mmdet_eca import config_path
from mmdet_eca.tables import complexity_text, count_complexity, distinct_rows, load_rows
from mmdet_eca.tables.columns import count_row
from tests.conftest import run


def count(name):
    return count_row(distinct_rows([name])[0])


# #Param in millions and GFLOPs, copied from the paper.
@pytest.mark.parametrize(
    ('name', 'params_m', 'gflops', 'near'),
    [
        ('faster_rcnn_eca_r50_fpn_1x', 41.53, 207.18, 0.01),
        ('retinanet_se_r101_fpn_1x', 61.45, 315.58, 0.01),
        ('mask_rcnn_r50_fpn_1x', 44.18, 275.58, 0.04),
    ],
)
def test_columns_of_the_paper(name, params_m, gflops, near):
    ours = count(name)
    assert ours['params_m'] == pytest.approx(params_m, abs=0.01)
    assert ours['gflops'] == pytest.approx(gflops, abs=near)


def test_gcnets_rows_count_all_parameters():
    plain = count_complexity(
        Config.fromfile(config_path('mask_rcnn_r50_fpn_1x.py'))
    ).all_params_m
    # Each block: attention pooling C + 1, two 1x1 convolutions with biases
    # and a layer norm of C / 16 channels.
    gc = sum(
        blocks * (c + 1 + 2 * c * c // 16 + c // 16 + c + 2 * c // 16)
        for c, blocks in ((512, 4), (1024, 6), (2048, 3))
    )
    nl = 4 * 1024 * 512 + 3 * 512 + 1024
    for block, paper, more in (('gc', 46.9, gc), ('nl', 46.5, nl)):
        ours = count(f'mask_rcnn_{block}_r50_fpn_1x')['params_m']
        assert ours == pytest.approx(plain + more / 1e6, abs=1e-6)
        assert ours == pytest.approx(paper, abs=0.05)


def test_sync_bn_is_counted_as_bn():
    """NL adds its convolutions on c4's 50x80 positions, and nothing else."""
    nl, plain = (
        count(f'mask_rcnn{block}_r50_fpn_1x')['gflops'] for block in ('_nl', '')
    )
    convs = 50 * 80 * (4 * 1024 * 512 + 3 * 512 + 1024)
    assert nl - plain == pytest.approx(convs / 1e9, abs=1e-3)


def test_mask_head_upsamples_at_its_outputs_resolution():
    """mmcv counts at the input's; here the head is counted by hand."""
    mask, faster = (count(f'{d}_rcnn_r50_fpn_1x')['gflops'] for d in ('mask', 'faster'))
    convs = 4 * 14 * 14 * (9 * 256 * 256 + 256 + 256)  # with bias and ReLU
    upsampled = 28 * 28 * (4 * 256 * 256 + 256 + 256)
    logits = 28 * 28 * 80 * (256 + 1)
    by_hand = 100 * (convs + upsampled + logits) / 1e9
    assert mask - faster == pytest.approx(by_hand, abs=1e-3)


def test_tool_prints_the_papers_field_names():
    done = run(
        sys.executable,
        'tools/reproduce_tables.py',
        'complexity',
        '--table',
        6,
        '--json',
    )
    rows = json.loads(done.stdout)
    assert len(rows) == 8 and '8/8' in done.stderr
    assert {'table', 'detector', 'depth', 'attention', 'params_m', 'gflops'} <= set(
        rows[0]
    )
    for row in rows:
        assert row['paper_gflops'] + row['diff_gflops'] == pytest.approx(row['gflops'])
    text = complexity_text(rows)
    assert 'mask_rcnn_eca_r101_fpn_1x' in text and '351.83' in text


def test_an_unconfirmed_figure_is_marked():
    (row,) = (
        r for r in load_rows() if (r.table, r.name) == (5, 'mask_rcnn_gc_r50_fpn_1x')
    )
    assert not row.unconfirmed
    doubted = row._replace(paper=dict(row.paper, source='memory'))
    assert doubted.unconfirmed == ['params_m', 'gflops', 'AP', 'AP50', 'AP75']
