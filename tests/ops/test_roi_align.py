"""The layer is mmcv's, in outputs and gradients; only the memory layout differs."""

import copy
import pickle

import pytest
import torch
from mmcv.ops import RoIAlign

from mmdet_eca.ops import ChannelsLastRoIAlign

LAYOUTS = [torch.contiguous_format, torch.channels_last]
SETTINGS = [
    dict(output_size=7, spatial_scale=0.25),
    dict(output_size=(3, 5), spatial_scale=0.125),
    dict(output_size=7, spatial_scale=0.25, sampling_ratio=2, aligned=False),
    dict(output_size=1, spatial_scale=1.0, sampling_ratio=3),
    dict(output_size=(2, 3), spatial_scale=0.5, aligned=False),
]


def boxes(number=60):
    """Of all sizes, on the edges of the images and outside of them."""
    corners = torch.rand(number, 2, dtype=torch.double) * 200 - 40
    sides = 200 * torch.rand(number, 2, dtype=torch.double) ** 3
    sides[:3] = torch.tensor([[0, 20], [20, 0], [0, 0]])
    corners[3:6] = torch.tensor([[500.0, 3], [3, 500], [-300, 4]])
    corners[6:9], sides[6:9] = corners[6:9].round(), sides[6:9].round()
    images = torch.arange(number)[:, None] % 2
    return torch.cat((images, corners, corners + sides), 1)


@pytest.mark.parametrize('layout', LAYOUTS, ids=str)
@pytest.mark.parametrize('settings', SETTINGS, ids=str)
def test_outputs_and_gradients_are_those_of_mmcv(settings, layout):
    torch.manual_seed(0)
    rois = boxes()
    x = torch.randn(2, 6, 30, 41, dtype=torch.double)
    outs, gradients = [], []
    for layer, map_ in (
        (RoIAlign(**settings), x),
        (ChannelsLastRoIAlign(**settings), x.contiguous(memory_format=layout)),
    ):
        map_ = map_.detach().requires_grad_()
        out = layer(map_, rois)
        torch.manual_seed(1)
        out.backward(torch.randn(out.shape, dtype=out.dtype))
        outs.append(out)
        gradients.append(map_.grad)
    assert outs[1].is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(outs[1], outs[0], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-12, atol=1e-12)


def test_float32_differs_by_rounding_alone():
    torch.manual_seed(0)
    rois, x = boxes(200).float(), torch.randn(2, 16, 50, 50)
    settings = dict(output_size=14, spatial_scale=0.25)
    out = ChannelsLastRoIAlign(**settings)(x, rois)
    torch.testing.assert_close(out, RoIAlign(**settings)(x, rois), rtol=1e-5, atol=1e-5)


def of_mmcv(monkeypatch):
    """Notes whether mmcv's operator runs."""
    calls = []
    forward = RoIAlign.forward

    def noted(self, input, rois):
        calls.append(input.is_contiguous())
        return forward(self, input, rois)

    monkeypatch.setattr(RoIAlign, 'forward', noted)
    return calls


@pytest.mark.parametrize('case', ['max', 'half', 'traced', 'no boxes', 'usual'])
def test_mmcvs_runs_where_ours_cannot(monkeypatch, case):
    calls = of_mmcv(monkeypatch)
    x = torch.randn(2, 8, 24, 24).contiguous(memory_format=torch.channels_last)
    rois = boxes().float()
    layer = ChannelsLastRoIAlign(4, 0.125, pool_mode='max' if case == 'max' else 'avg')
    if case == 'half':
        x, rois = x.half(), rois.half()
    elif case == 'no boxes':
        rois = rois[:0]
    elif case == 'traced':
        layer = torch.jit.trace(layer, (x, rois), check_trace=False)
        calls.clear()
    out = layer(x, rois)
    assert out.shape == (len(rois), 8, 4, 4)
    assert calls == ([True] if case in ('max', 'half') else [])
    if case == 'traced':
        assert 'RoIAlignFunction' in str(layer.graph)


def test_copies_and_pickles_are_whole():
    layer = ChannelsLastRoIAlign(7, 0.25)
    for copied in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(copied) == repr(layer)
