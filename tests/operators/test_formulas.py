"""Each operator beside its formula, written again in float64, and its gradients beside
finite differences. They need no compiled mmcv, and run on the GPU that there may be."""

import itertools
import math
from functools import partial

import pytest
import torch
from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch
from torch.nn import functional as F

from mmcv_operators import extension
from mmcv_operators.deform_conv import _small_torchvision
from mmcv_operators.kernels import works
from tests.operators.wrappers import ours, outputs_and_gradients


@pytest.fixture
def ops(device):
    """mmcv.ops over our operators; what a test makes is on the device."""
    with ours() as found:
        yield found


def double(*shape):
    return torch.randn(*shape, dtype=torch.double)


def same(found, expected, limit=1e-10):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=limit, atol=limit)


def iou(one, other, offset=0):
    width = min(one[2], other[2]) - max(one[0], other[0]) + offset
    height = min(one[3], other[3]) - max(one[1], other[1]) + offset
    areas = [(b[2] - b[0] + offset) * (b[3] - b[1] + offset) for b in (one, other)]
    both = max(width, 0) * max(height, 0)
    return both / (sum(areas) - both)


@pytest.mark.parametrize('offset', [0, 1])
def test_nms_is_greedy(ops, offset):
    corners = torch.rand(150, 2) * 40
    boxes = torch.cat((corners, corners + 1 + torch.rand(150, 2) * 20), 1)
    scores = torch.rand(150)
    kept = []
    for i in scores.argsort(descending=True).tolist():
        if all(iou(boxes[i].tolist(), boxes[j].tolist(), offset) <= 0.4 for j in kept):
            kept.append(i)
    dets, indices = ops.nms(boxes, scores, 0.4, offset)
    assert indices.tolist() == kept
    assert torch.equal(dets, torch.cat((boxes, scores[:, None]), 1)[indices])
    assert ops.nms(boxes, scores, 0.4, offset, max_num=3)[1].tolist() == kept[:3]


def test_of_equal_scores_the_lower_index_is_first(ops):
    boxes = torch.arange(200.0)[:, None] * 10 + torch.tensor([0.0, 0, 8, 8])
    scores = (torch.arange(200) % 3).float()
    expected = sorted(range(200), key=lambda i: (-(i % 3), i))
    assert ops.nms(boxes, scores, 0.5)[1].tolist() == expected
    same_place = torch.tensor([[0.0, 0, 8, 8]]).expand(9, 4)
    assert ops.nms(same_place, torch.ones(9), 0.5)[1].tolist() == [0]


@pytest.mark.parametrize('types', itertools.product(
    [torch.float16, torch.float32, torch.float64], repeat=2
), ids=str)  # fmt: skip
def test_nms_takes_boxes_and_scores_of_any_type(ops, types):
    boxes = torch.tensor([[0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])
    scores = torch.tensor([0.5, 0.75, 0.25])
    indices = extension.nms(boxes.to(types[0]), scores.to(types[1]), 0.5, 0)
    assert indices.tolist() == [1, 2]


def test_nms_compares_with_the_threshold_in_float32(ops):
    """An IoU of 3/5 in float32 is more than 0.6, and no more than float32's 0.6."""
    boxes = torch.tensor([[0.0, 0, 5, 1], [0, 0, 3, 1]])
    assert ops.nms(boxes, torch.tensor([0.9, 0.8]), 0.6)[1].tolist() == [0, 1]


def test_soft_nms_lowers_the_scores(ops):
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30]])
    scores = torch.tensor([0.9, 0.8, 0.7])
    for method, factor in (
        ('naive', 0.0), ('linear', 0.5), ('gaussian', math.exp(-0.25 / 0.5)),
    ):  # fmt: skip
        # An IoU of 0.5 is enough at a threshold of 0.5.
        dets, indices = ops.soft_nms(boxes, scores, 0.5, 0.5, 1e-3, method)
        expected = {0: 0.9, 1: 0.8 * factor, 2: 0.7}
        found = dict(zip(indices.tolist(), dets[:, 4].tolist()))
        assert found == pytest.approx({i: s for i, s in expected.items() if s})


def test_nms_match_groups(ops):
    boxes = [[0.0, 0, 10, 10], [20, 20, 30, 30], [0, 0, 10, 5], [20, 20, 30, 30]]
    dets = torch.tensor([[*box, s] for box, s in zip(boxes, (0.7, 0.5, 0.6, 0.9))])
    groups = [group.tolist() for group in ops.nms_match(dets, 0.5)]
    assert groups == [[3, 1], [0, 2]]


ROIS = [
    [0, 1.0, 2, 9, 13], [1, -6.3, -4, 7.5, 30], [1, 3, 3, 3, 9], [0, 50, 2, 60, 8],
    [1, 0, 0, 20, 20], [0, 2.5, 4.25, 2.75, 5],
]  # fmt: skip


def samples_of(image, roi, size, scale, ratio, aligned):
    """Of each bin the values of one channel at its samples, by the paper's formula."""
    x1, y1, x2, y2 = (value * scale - 0.5 * aligned for value in roi[1:])
    width, height = x2 - x1, y2 - y1
    if not aligned:
        width, height = max(width, 1), max(height, 1)
    rows, columns = size

    def value(y, x):
        if not (-1 <= y <= image.shape[0] and -1 <= x <= image.shape[1]):
            return 0.0
        y, x = max(y, 0), max(x, 0)
        total = 0.0
        for row in range(image.shape[0]):
            for column in range(image.shape[1]):
                y_ = min(y, image.shape[0] - 1)
                x_ = min(x, image.shape[1] - 1)
                total += (
                    max(0, 1 - abs(y_ - row)) * max(0, 1 - abs(x_ - column))
                    * image[row, column].item()
                )  # fmt: skip
        return total

    down = ratio or math.ceil(height / rows)
    across = ratio or math.ceil(width / columns)
    return [
        [
            [
                value(
                    y1 + (i + (a + 0.5) / down) * height / rows,
                    x1 + (j + (b + 0.5) / across) * width / columns,
                )
                for a in range(down)
                for b in range(across)
            ]
            for j in range(columns)
        ]
        for i in range(rows)
    ]


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_roi_align(ops, mode, aligned, ratio):
    rois = torch.tensor(ROIS, dtype=torch.double)
    x = double(2, 1, 7, 6)
    out = ops.roi_align(x, rois, (2, 3), 0.5, ratio, mode, aligned)
    for roi, found in zip(ROIS, out.tolist()):
        samples = samples_of(x[int(roi[0]), 0], roi, (2, 3), 0.5, ratio, aligned)
        for row, values in zip(found[0], samples):
            for number, of_bin in zip(row, values):
                if mode == 'avg':
                    expected = sum(of_bin) / max(len(of_bin), 1)
                elif of_bin:
                    expected = max(of_bin)
                else:  # mmcv has no lower one
                    expected = -1e4 if x.device.type == 'cpu' else number
                assert number == pytest.approx(expected, abs=1e-9)
    inside = rois[[0, 1, 4, 5]]
    torch.autograd.gradcheck(
        lambda x: ops.roi_align(x, inside, (2, 3), 0.5, ratio, mode, aligned),
        x.requires_grad_(),
    )


def pooled(x, rois, size, scale):
    """RoIPool by slices, differentiable by x."""
    out = []
    for image, x1, y1, x2, y2 in rois:
        left, top = x1 * scale, y1 * scale
        bin_w = ((x2 + 1) * scale - left) / size[1]
        bin_h = ((y2 + 1) * scale - top) / size[0]

        def edges(start, bin, i, last):
            return (
                min(max(math.floor(i * bin + start), 0), last),
                min(max(math.ceil((i + 1) * bin + start), 0), last),
            )

        for i in range(size[0]):
            for j in range(size[1]):
                rows = slice(*edges(top, bin_h, i, x.shape[2]))
                columns = slice(*edges(left, bin_w, j, x.shape[3]))
                part = x[int(image), :, rows, columns].flatten(1)
                has_pixels = part.shape[1] and bin_w > 0 and bin_h > 0
                out.append(part.amax(1) if has_pixels else x.new_zeros(x.shape[1]))
    return torch.stack(out).view(len(rois), *size, -1).permute(0, 3, 1, 2)


def test_roi_pool(ops):
    rois = [*ROIS, [0, 8, 8, 4, 4]]
    boxes = torch.tensor(rois, dtype=torch.double)
    x = double(2, 3, 7, 6)
    same(
        outputs_and_gradients(lambda x: ops.roi_pool(x, boxes, (2, 3), 0.5), x),
        outputs_and_gradients(lambda x: pooled(x, rois, (2, 3), 0.5), x),
    )


def focal_loss(logits, targets, gamma, alpha):
    p = logits.sigmoid()
    hit = F.one_hot(targets, logits.shape[1] + 1)[:, :-1].double()
    p_t, alpha_t = hit * p + (1 - hit) * (1 - p), hit * alpha + (1 - hit) * (1 - alpha)
    return -alpha_t * (1 - p_t) ** gamma * p_t.log()


@pytest.mark.parametrize('gamma', [0.0, 1.5, 2.0])
@pytest.mark.parametrize('weighted', [False, True])
def test_sigmoid_focal_loss(ops, gamma, weighted):
    logits, targets = double(9, 4) * 3, torch.arange(9) % 5  # 4 is the background
    weight = torch.rand(4, dtype=torch.double) if weighted else None
    factors = 1.0
    if weighted:
        factors = torch.cat((weight, torch.ones(1, dtype=torch.double)))[targets, None]
    same(
        outputs_and_gradients(
            lambda x: ops.sigmoid_focal_loss(x, targets, gamma, 0.3, weight, 'none'),
            logits,
        ),
        outputs_and_gradients(
            lambda x: focal_loss(x, targets, gamma, 0.3) * factors, logits
        ),
    )


@pytest.mark.parametrize('gamma', [1.0, 2.0, 3.5])
def test_softmax_focal_loss(ops, gamma):
    logits, targets = double(9, 4), torch.arange(9) % 4
    weight = torch.rand(4, dtype=torch.double)

    def expected(x):
        p = x.softmax(1)[range(9), targets]
        return (-0.3 * (1 - p) ** gamma * p.log() * weight[targets]).mean()

    same(
        outputs_and_gradients(
            lambda x: ops.softmax_focal_loss(x, targets, gamma, 0.3, weight, 'mean'),
            logits,
        ),
        outputs_and_gradients(expected, logits),
    )


def test_extreme_logits_have_finite_losses_and_gradients(ops):
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]])
    found = outputs_and_gradients(
        lambda x: ops.sigmoid_focal_loss(
            x, torch.tensor([0, 0]), 2.0, 0.25, None, 'none'
        ),
        logits,
    )
    assert all(value.isfinite().all() for value in found)


SHAPES = torch.tensor([[4, 5], [2, 3]])


def attention_inputs():
    pixels = int(SHAPES.prod(1).sum())
    weights = torch.rand(2, 6, 2, 2, 3, dtype=torch.double)
    places = torch.rand(2, 6, 2, 2, 3, 2, dtype=torch.double) * 1.4 - 0.2
    return double(2, pixels, 2, 4), places, weights


def test_deformable_attention(ops):
    """Beside mmcv's form by grid_sample, which differs by rounding."""
    starts = torch.tensor([0, 20])
    shapes = SHAPES.to(starts)
    apply = ops.multi_scale_deform_attn.MultiScaleDeformableAttnFunction.apply
    inputs = attention_inputs()
    same(
        outputs_and_gradients(
            lambda value, places, weights: apply(
                value, shapes, starts, places, weights, 64
            ),
            *inputs,
        ),
        outputs_and_gradients(
            lambda value, places, weights: multi_scale_deformable_attn_pytorch(
                value, shapes.cpu(), places, weights
            ),
            *inputs,
        ),
        1e-8,
    )


@pytest.mark.parametrize('sizes', [(3, 1, 2), (5, 2, 3), (1, 2, 1)])
def test_carafe(ops, sizes):
    """By torch's unfold, enlarged by repetition."""
    kernel_size, groups, scale = sizes
    x = double(2, 4, 5, 6)
    masks = double(2, groups * kernel_size**2, 5 * scale, 6 * scale)

    def expected(x, masks):
        patches = F.unfold(x, kernel_size, padding=kernel_size // 2)
        patches = patches.view(2, 4 * kernel_size**2, 5, 6)
        large = patches.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        large = large.view(2, groups, 4 // groups, kernel_size**2, *masks.shape[2:])
        weights = masks.view(2, groups, 1, kernel_size**2, *masks.shape[2:])
        return (large * weights).sum(3).flatten(1, 2)

    same(
        outputs_and_gradients(lambda x, masks: ops.carafe(x, masks, *sizes), x, masks),
        outputs_and_gradients(expected, x, masks),
    )


@pytest.mark.parametrize(('kernel', 'padding'), [((3, 3), (1, 1)), ((1, 3), (0, 1))])
def test_masked_convolution(ops, kernel, padding):
    x, weight, bias = double(1, 3, 6, 7), double(4, 3, *kernel), double(4)
    mask = (torch.rand(1, 6, 7) > 0.5).double()
    found = ops.masked_conv2d(x, mask, weight, bias, padding)
    expected = F.conv2d(x, weight, bias, padding=padding) * mask
    same([found], [expected])
    assert not ops.masked_conv2d(x, mask * 0, weight, bias, padding).any()


def test_deformable_convolutions_without_offsets_are_convolutions(ops):
    x, weight = double(2, 4, 7, 8), double(6, 2, 3, 3)
    expected = outputs_and_gradients(
        lambda x, weight: F.conv2d(x, weight, stride=2, padding=1, groups=2), x, weight
    )
    offset = torch.zeros(2, 36, *expected[0].shape[2:], dtype=torch.double)
    ones = torch.ones(2, 18, *expected[0].shape[2:], dtype=torch.double)
    layout = (2, 1, 1, 2, 2)
    same(
        outputs_and_gradients(
            lambda x, w: ops.deform_conv2d(x, offset, w, *layout), x, weight
        ),
        expected,
    )
    same(
        outputs_and_gradients(
            lambda x, w: ops.modulated_deform_conv2d(x, offset, ones, w, None, *layout),
            *(x, weight),
        ),
        expected,
    )


@pytest.mark.parametrize('dtype', [torch.double, torch.bfloat16], ids=str)
def test_a_sample_one_pixel_above_or_left_of_the_map_has_no_slope(ops, dtype):
    """The gradient of its offset is 0, as in mmcv; in torchvision it is not.

    The offsets of a new layer are 0, which puts the samples of its padding there. With
    bfloat16, which torchvision's kernel lacks, this tests the form in PyTorch.
    """
    x, weight = torch.ones(1, 1, 1, 1, dtype=dtype), torch.ones(1, 1, 1, 1, dtype=dtype)
    offset = torch.zeros(1, 2, 3, 3, dtype=dtype, requires_grad=True)
    ops.deform_conv2d(x, offset, weight, 1, 1).sum().backward()
    # Only the sample on the pixel has a slope: the output falls as it moves down or
    # to the right.
    expected = torch.zeros(1, 2, 3, 3, dtype=dtype)
    expected[:, :, 1, 1] = -1
    torch.testing.assert_close(offset.grad, expected)


@pytest.mark.parametrize(
    'name', ['deform_conv', 'modulated_deform_conv', 'attention', 'carafe']
)
def test_gradients_are_those_of_finite_differences(ops, name):
    x, weight = double(1, 2, 4, 3), double(2, 2, 2, 2)
    offset, mask = double(1, 16, 3, 2), double(1, 8, 3, 2)
    starts = torch.tensor([0, 20])
    function, inputs = dict(
        deform_conv=(
            lambda *t: ops.deform_conv2d(*t, 1, 0, 1, 1, 2), (x, offset, weight),
        ),
        modulated_deform_conv=(
            lambda *t: ops.modulated_deform_conv2d(*t, 1, 0, 1, 1, 2),
            (x, offset, mask, weight, double(2)),
        ),
        attention=(
            lambda value, places, weights: (
                ops.multi_scale_deform_attn.MultiScaleDeformableAttnFunction.apply(
                    value, SHAPES[:1].to(starts), starts, places, weights, 64
                )
            ),
            [tensor[:1, :20, :1] for tensor in attention_inputs()],
        ),
        carafe=(
            lambda *t: ops.carafe(*t, 3, 1, 2),
            (double(1, 2, 2, 3), double(1, 9, 4, 6)),
        ),
    )[name]  # fmt: skip
    assert torch.autograd.gradcheck(function, [t.requires_grad_() for t in inputs])


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_near_float32(ops, dtype):
    x = torch.randn(2, 4, 8, 8)
    rois = torch.tensor([[0.0, 1, 1, 6, 7], [1, 0, 2, 7, 7]])
    offset, weight = torch.zeros(2, 18, 8, 8) + 0.25, torch.randn(4, 4, 3, 3) / 6
    masks = torch.rand(2, 9, 16, 16)
    for function in (
        lambda t: ops.roi_align(x.to(t), rois.to(t), 2, 1.0, 2, 'avg', True),
        lambda t: ops.roi_align(x.to(t), rois.to(t), 2, 1.0, 2, 'max', True),
        lambda t: ops.roi_pool(x.to(t), rois.to(t), 2, 1.0),
        lambda t: ops.deform_conv2d(x.to(t), offset.to(t), weight.to(t), 1, 1),
        lambda t: ops.carafe(x.to(t), masks.to(t), 3, 1, 2),
        lambda t: ops.sigmoid_focal_loss(
            x.flatten(1).to(t), torch.tensor([1, 2]), 2.0, 0.25, None, 'none'
        ),
    ):
        found = function(dtype)
        assert found.dtype == dtype
        torch.testing.assert_close(
            found.float(), function(torch.float32), rtol=0.05, atol=0.05
        )


def test_nothing_in_is_nothing_out(ops):
    x, no_rois = torch.randn(1, 3, 8, 8), torch.zeros(0, 5)
    for layer in (ops.RoIAlign(7), ops.RoIAlign(7, pool_mode='max'), ops.RoIPool(7)):
        out, grad = outputs_and_gradients(partial(layer, rois=no_rois), x)
        assert out.shape == (0, 3, 7, 7) and not grad.any()
    boxes, scores = torch.zeros(0, 4), torch.zeros(0)
    for function in (ops.nms, ops.soft_nms):
        dets, indices = function(boxes, scores, 0.5)
        assert dets.shape == (0, 5) and indices.shape == (0,)
    assert ops.nms_match(no_rois, 0.5) == []


def test_other_operators_say_what_they_need(ops):
    with pytest.raises(NotImplementedError, match='nms_rotated.*compiled mmcv'):
        extension.nms_rotated(torch.zeros(1, 5), torch.zeros(1))
    assert not hasattr(extension, '__path__')
    assert 'none' in extension.get_compiler_version()
    assert extension.get_compiling_cuda_version() == 'not available'


@pytest.mark.parametrize('mode', [torch.no_grad, torch.inference_mode])
def test_torchvisions_kernel_is_found_where_gradients_are_off(mode):
    """An autograd function's forward pass, which has no gradients, asks for it."""
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        pytest.skip('torchvision does not import beside this torch')
    works.cache_clear()
    with mode():
        assert works(_small_torchvision, 'cpu')
