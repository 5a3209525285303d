"""Each operator beside the compiled one: outputs, gradients, and what is refused.

Shapes, boxes and settings are hypothesis's. The tests run where mmcv has compiled
operators, as in the row "oldest" of docs/install.md.
"""

import importlib

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmcv_operators import has_compiled_operators
from mmdet_eca import config_path
from tests.operators.wrappers import operators, ours, outputs_and_gradients

if not has_compiled_operators():
    pytest.skip('mmcv-lite: nothing to compare with', allow_module_level=True)

compiled = importlib.import_module('mmcv._ext')
pytestmark = pytest.mark.skipif(
    not hasattr(compiled, '__file__') or compiled.__file__.endswith('.py'),
    reason='mmcv has no compiled operators',
)
checks = settings(max_examples=60, deadline=None)


def both(function, *tensors, **tolerances):
    """Compares what mmcv's wrapper gives with its operators and with ours."""
    with operators(compiled) as ops:
        expected = outputs_and_gradients(lambda *t: function(ops, *t), *tensors)
    with ours() as ops:
        found = outputs_and_gradients(lambda *t: function(ops, *t), *tensors)
    for one, other in zip(found, expected):
        torch.testing.assert_close(one, other, **tolerances)


@st.composite
def boxes(draw, most=150):
    """Boxes and scores; many corners are whole numbers, so that boxes touch, are equal
    or have no area. No two scores are equal."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    number = draw(st.integers(0, most))
    corners = torch.rand(number, 2, generator=generator) * draw(st.integers(1, 60))
    sides = torch.rand(number, 2, generator=generator) * draw(st.integers(1, 40))
    found = torch.cat((corners, corners + sides), 1)
    if draw(st.booleans()):
        found = found.round()
    scores = torch.randperm(number, generator=generator) / max(number, 1)
    return found, scores


thresholds = st.sampled_from([0.0, 0.3, 0.5, 0.6, 0.7, 1.0])
offsets = st.sampled_from([0, 1])


@checks
@given(boxes(), thresholds, offsets, st.sampled_from([0.0, 0.4]))
def test_nms(pair, threshold, offset, score_threshold):
    results = []
    for used in (operators(compiled), ours()):
        with used as ops:
            results.append(
                ops.nms(*pair, threshold, offset, score_threshold=score_threshold)
            )
    assert torch.equal(results[0][1], results[1][1])
    assert torch.equal(results[0][0], results[1][0])


@checks
@given(
    boxes(60),
    thresholds,
    offsets,
    st.sampled_from(['naive', 'linear', 'gaussian']),
    st.sampled_from([1e-3, 0.2]),
    st.booleans(),
)
def test_soft_nms(pair, threshold, offset, method, min_score, ties):
    found, scores = pair
    scores = (scores * 8).round() / 8 if ties else scores
    results = []
    for used in (operators(compiled), ours()):
        with used as ops:
            results.append(
                ops.soft_nms(found, scores, threshold, 0.5, min_score, method, offset)
            )
    assert torch.equal(results[0][1], results[1][1])
    torch.testing.assert_close(
        results[1][0], results[0][0], rtol=1e-6, atol=1e-6, equal_nan=True
    )


@checks
@given(boxes(), thresholds)
def test_nms_match(pair, threshold):
    results = []
    for used in (operators(compiled), ours()):
        with used as ops:
            groups = ops.nms_match(torch.cat((pair[0], pair[1][:, None]), 1), threshold)
            results.append([group.tolist() for group in groups])
    assert results[0] == results[1]


@st.composite
def maps_and_rois(draw):
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    images, channels = draw(st.integers(1, 2)), draw(st.integers(1, 5))
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    x = torch.randn(images, channels, height, width, generator=generator)
    number = draw(st.integers(0, 30))
    corners = torch.rand(number, 2, generator=generator) * 150 - 40
    sides = 150 * torch.rand(number, 2, generator=generator) ** 3
    if draw(st.booleans()):
        corners, sides = corners.round(), sides.round()
    index = torch.randint(images, (number, 1), generator=generator).float()
    return x, torch.cat((index, corners, corners + sides), 1)


@checks
@given(
    maps_and_rois(),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.sampled_from([0.125, 0.25, 1.0]),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from(['avg', 'max']),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_roi_align(pair, size, scale, sampling_ratio, aligned, mode, dtype):
    x, rois = pair[0].to(dtype), pair[1].to(dtype)
    # A sample at the edge of a pixel may fall on either side of it in float32.
    limit = 1e-10 if dtype == torch.float64 else 1e-4
    both(
        lambda ops, x: ops.roi_align(
            x, rois, size, scale, sampling_ratio, mode, aligned
        ),
        x,
        rtol=limit,
        atol=limit,
    )


@pytest.mark.parametrize('ops_of', [lambda: operators(compiled), ours])
def test_roi_align_refuses_boxes_that_end_before_they_start(ops_of):
    with ops_of() as ops, pytest.raises(RuntimeError, match='ROIs in ROIAlign'):
        ops.RoIAlign(7)(torch.zeros(1, 1, 8, 8), torch.tensor([[0.0, 5, 5, 4, 8]]))


@st.composite
def convolutions(draw):
    """Arguments of both kinds of deformable convolutions."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    groups, deform_groups = draw(st.sampled_from([1, 2])), draw(st.sampled_from([1, 2]))
    channels, out = 4 * draw(st.integers(1, 2)), 2 * draw(st.integers(1, 2))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride = draw(st.integers(1, 2))
    padding = draw(st.integers(0, 2))
    dilation = draw(st.integers(1, 2))
    size = [draw(st.integers(max(k, dilation * (k - 1) + 1), 9)) for k in kernel]
    out_size = [
        (s + 2 * padding - dilation * (k - 1) - 1) // stride + 1
        for s, k in zip(size, kernel)
    ]
    number, taps = draw(st.integers(1, 2)), kernel[0] * kernel[1]

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    offset = normal(number, 2 * deform_groups * taps, *out_size)
    offset *= draw(st.sampled_from([0.0, 1.0, 4.0]))  # all on pixels at first
    return (
        (
            normal(number, channels, *size),
            offset,
            normal(number, deform_groups * taps, *out_size).sigmoid(),
            normal(out, channels // groups, *kernel),
            normal(out),
        ),
        (stride, padding, dilation, groups, deform_groups),
    )


@checks
@given(convolutions())
def test_deform_conv(drawn):
    (x, offset, _, weight, _), layout = drawn
    both(
        lambda ops, *tensors: ops.deform_conv2d(*tensors, *layout),
        *(x, offset, weight),
        rtol=1e-4,
        atol=1e-4,
    )


@checks
@given(convolutions(), st.booleans())
def test_modulated_deform_conv(drawn, with_bias):
    tensors, layout = drawn
    both(
        lambda ops, *tensors: ops.modulated_deform_conv2d(
            *tensors[:4], tensors[4] if with_bias else None, *layout
        ),
        *tensors,
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize('ops_of', [lambda: operators(compiled), ours])
def test_maps_smaller_than_the_kernel(ops_of):
    """Without the padding that mmcv's layer adds, a plain one refuses them; a modulated
    one does not."""
    x, weight = torch.ones(1, 1, 2, 2), torch.ones(1, 1, 3, 3)
    with ops_of() as ops:
        with pytest.raises(RuntimeError, match='input image is smaller than kernel'):
            ops.deform_conv2d(x, torch.zeros(1, 18, 2, 2), weight, 1, 1)
        layer = ops.DeformConv2d(1, 1, 3, padding=1)
        layer.weight.data.fill_(1)
        assert layer(x, torch.zeros(1, 18, 2, 2)).tolist() == [[[[4, 4], [4, 4]]]]
        out = ops.modulated_deform_conv2d(
            x, torch.zeros(1, 18, 2, 2), torch.ones(1, 9, 2, 2), weight, None, 1, 1
        )
        assert out.tolist() == [[[[4, 4], [4, 4]]]]


@pytest.mark.parametrize('name', ['mask_rcnn', 'retinanet'])
def test_a_detector_learns_and_finds_the_same(name):
    """The same losses, gradients and detections for the same weights and images."""
    config = Config.fromfile(config_path(f'digits/{name}_eca_r50_digits.py'))
    config.model.backbone.init_cfg = None
    init_default_scope('mmdet')
    results = []
    for used in (operators(compiled), ours()):
        torch.manual_seed(0)
        np.random.seed(0)
        model = MODELS.build(config.model)
        batch = model.data_preprocessor(
            demo_mm_inputs(2, [[3, 96, 128]] * 2, num_classes=10, with_mask=True), True
        )
        with used:
            losses, _ = model.parse_losses(model(**batch, mode='loss'))
            losses.backward()
            gradients = {n: p.grad for n, p in model.named_parameters()}
            model.eval()
            with torch.no_grad():
                found = model(**batch, mode='predict')
        results.append((losses.item(), gradients, found))
    (loss, gradients, found), (ours_loss, ours_gradients, ours_found) = results
    assert ours_loss == pytest.approx(loss, rel=1e-5)
    for key, gradient in gradients.items():
        torch.testing.assert_close(ours_gradients[key], gradient, rtol=1e-3, atol=1e-5)
    for one, other in zip(ours_found, found):
        assert len(one.pred_instances) == len(other.pred_instances) > 0
        for key in ('bboxes', 'scores', 'labels'):
            torch.testing.assert_close(
                one.pred_instances[key], other.pred_instances[key], rtol=1e-4, atol=1e-3
            )
