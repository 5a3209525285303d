"""Whatever changes the weights, the next call of a folded backbone uses the new."""

import copy
import pickle
from types import SimpleNamespace

import pytest
import torch
from mmdet.engine.hooks import MeanTeacherHook
from mmengine.hooks import EMAHook
from mmengine.model import ExponentialMovingAverage
from torch import nn

from tests.models.backbones.folded_and_direct import assert_same_inference, ones

pytestmark = pytest.mark.usefixtures('device')


def _step(network):
    network.layer2[1].conv3.weight.grad = torch.ones_like(
        network.layer2[1].conv3.weight
    )
    network.layer1[0].bn2.bias.grad = torch.ones_like(network.layer1[0].bn2.bias)
    torch.optim.SGD(network.parameters(), 0.1).step()


def _load(network):
    network.load_state_dict(
        {
            name: value * 1.5 if value.is_floating_point() else value
            for name, value in network.state_dict().items()
        }
    )


def _move_statistics(network):
    network.layer2[0].bn1.running_mean.add_(0.5)


def _replace(network):
    conv = network.layer2[0].conv3
    conv.weight = nn.Parameter(conv.weight.detach() * 2)


def _swap_data(network):
    conv = network.layer2[0].conv3
    conv.weight.data = conv.weight.data * 2


def _write_into_data(network):
    """Which leaves no trace: neither the address nor the version changes."""
    network.layer1[1].conv3.weight.data.mul_(2)
    network.layer2[0].bn1.running_var.data.add_(1)


def _share(network):
    first, second = network.layer1[1], network.layer1[2]
    second.conv3.weight = first.conv3.weight
    with torch.no_grad():
        first.conv3.weight.mul_(2)


def _round_trip(network):
    network.to(torch.bfloat16).to(torch.float64)


def _train(network):
    network.train()
    with torch.no_grad():
        network.layer1[0].bn1.running_var.mul_(2)
    network.eval()


@pytest.mark.parametrize(
    'change',
    [
        _step,
        _load,
        _move_statistics,
        _replace,
        _swap_data,
        _write_into_data,
        _share,
        _round_trip,
        _train,
    ],
)
def test_a_stale_weight_is_impossible(networks, change):
    """Without a call of train() or eval() between, in every mode of autograd."""
    folded, direct = networks
    assert_same_inference(folded, direct)
    before = folded(ones())
    for network in networks:
        change(network)
    assert_same_inference(folded, direct)
    with torch.inference_mode():
        assert_same_inference(folded, direct)
    after = folded(ones())
    assert not torch.equal(before[-1], after[-1])


def test_ema_swaps_are_seen(networks):
    """mmengine's EMAHook lets the average and the weights change places before
    an evaluation and again after it."""
    folded, direct = networks
    hooks = []
    for network in networks:
        hooks.append(EMAHook())
        hooks[-1].src_model = network
        hooks[-1].ema_model = ExponentialMovingAverage(network)

    def swap():
        for network, hook in zip(networks, hooks):
            hook._swap_ema_parameters()
            network.eval()

    for _ in range(3):
        for network, hook in zip(networks, hooks):
            network.train()
            _step(network)
            hook.ema_model.update_parameters(network)
            network.eval()
        assert_same_inference(folded, direct)
        swap()
        assert_same_inference(folded, direct)
        swap()
    assert_same_inference(folded, direct)


def test_a_mean_teacher_is_seen(networks):
    """mmdet's MeanTeacherHook writes into the weights of a teacher that learns
    nothing itself, after every step of the training."""
    hook = MeanTeacherHook()
    models = nn.ModuleList()
    for network in networks:
        model = nn.ModuleDict(dict(student=copy.deepcopy(network), teacher=network))
        _step(model['student'])
        models.append(model)
    models.train()
    for model in models:
        model['teacher'].requires_grad_(False)
    for _ in range(2):
        before = [out.clone() for out in networks[0](ones())]
        for model in models:
            hook.momentum_update(SimpleNamespace(**model), 0.5)
        assert_same_inference(*networks)
        after = networks[0](ones())
        assert not torch.equal(before[-1], after[-1])


@pytest.mark.parametrize(
    'copied', [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))]
)
def test_a_copy_has_its_own_weights(networks, copied):
    folded, direct = networks
    assert_same_inference(folded, direct)
    other = copied(folded)
    assert_same_inference(other, direct)
    _step(other)
    assert_same_inference(folded, direct)
    _step(direct)
    assert_same_inference(other, direct)


def test_inference_mode_and_models_made_in_it(networks):
    folded, direct = networks
    with torch.inference_mode():
        assert_same_inference(folded, direct)
        made = [copy.deepcopy(network) for network in networks]
        assert_same_inference(*made)
        for network in made:
            network.layer1[0].bn1.weight.mul_(3)
        assert_same_inference(*made)
