"""A neck with attention on its outputs."""

import pytest
import torch
from mmdet.models.necks import FPN
from mmdet.registry import MODELS
from torch import nn

from mmdet_eca import AttentionNeck, UserError
from mmdet_eca.models.necks import attention_neck

IN = [16, 32, 64]
PYRAMID = dict(type='FPN', in_channels=IN, out_channels=8, num_outs=4)
ECA = dict(type='ECALayer', kernel_size=3)


def maps():
    return [torch.randn(2, c, 32 // 2**i, 32 // 2**i) for i, c in enumerate(IN)]


def test_each_output_has_its_own_gate():
    neck, x = AttentionNeck(PYRAMID, ECA), maps()
    for level, (out, plain) in enumerate(zip(neck(x), neck.neck(x))):
        kernel = neck.attention[level].conv.weight
        gate = nn.functional.conv1d(plain.mean((2, 3))[:, None], kernel, padding=1)
        torch.testing.assert_close(out, plain * gate.sigmoid()[:, 0, :, None, None])


@pytest.mark.parametrize('layer', [ECA, dict(type='CBAM', ratio=2)], ids=str)
def test_a_plain_necks_weights_load_and_the_identity_keeps_its_outputs(layer):
    plain, x = FPN(**{k: v for k, v in PYRAMID.items() if k != 'type'}), maps()
    neck = AttentionNeck(PYRAMID, layer, identity=True).eval()
    neck.load_state_dict(plain.state_dict())
    assert all(map(torch.equal, neck(x), plain(x)))
    sum(out.square().mean() for out in neck(x)).backward()
    for level in neck.attention:
        assert max(p.grad.abs().max() for p in level.parameters()) > 0


def test_a_detectors_plain_weights_load_under_their_prefix():
    plain = nn.ModuleDict(dict(neck=MODELS.build(PYRAMID)))
    model = nn.ModuleDict(dict(neck=AttentionNeck(PYRAMID, ECA)))
    kernel = model['neck'].attention[0].conv.weight.clone()
    model.load_state_dict(plain.state_dict())
    for name, weight in plain['neck'].state_dict().items():
        assert torch.equal(model['neck'].neck.state_dict()[name], weight)
    assert torch.equal(model['neck'].attention[0].conv.weight, kernel)


def test_its_own_weights_load():
    first, second = AttentionNeck(PYRAMID, ECA), AttentionNeck(PYRAMID, ECA)
    second.load_state_dict(first.state_dict())
    x = maps()
    assert all(map(torch.equal, second(x), first(x)))


def test_plain_weights_are_named_with_what_they_start(monkeypatch):
    logged = []
    monkeypatch.setattr(
        attention_neck, 'print_log', lambda text, **kwargs: logged.append(text)
    )
    plain = MODELS.build(PYRAMID).state_dict()
    for identity in (True, False):
        AttentionNeck(PYRAMID, ECA, identity).load_state_dict(dict(plain))
    first, second = logged
    assert 'for the neck. It starts as the identity' in first
    assert 'starts untrained; identity=True would keep the outputs' in second


# What these give is said by out_channels and num_outs, by one of them or by none.
OTHERS = {
    'PAFPN': (dict(in_channels=IN, out_channels=8, num_outs=4), {}),
    'HRFPN': (dict(in_channels=IN, out_channels=8, num_outs=4), {}),
    'YOLOXPAFPN': (dict(in_channels=IN, out_channels=8), dict(num_outs=3)),
    'YOLOV3Neck': (
        dict(num_scales=3, in_channels=IN[::-1], out_channels=[32, 16, 8]),
        {},
    ),
    'ChannelMapper': (
        dict(in_channels=IN, out_channels=8, num_outs=4),
        dict(out_channels=8, num_outs=4),
    ),
}


@pytest.mark.parametrize('name', OTHERS)
def test_other_necks_load_their_plain_weights_and_give_what_they_gave(name):
    arguments, said = OTHERS[name]
    plain, x = MODELS.build(dict(type=name, **arguments)), maps()
    neck = AttentionNeck(dict(type=name, **arguments), ECA, identity=True, **said)
    neck.load_state_dict(plain.state_dict())
    plain.eval(), neck.eval()
    outs = neck(x)
    assert len(outs) == (3 if 'YOLO' in name else 4)
    assert all(map(torch.equal, outs, plain(x)))


def test_several_necks_and_those_that_do_not_say_what_they_give():
    necks = [PYRAMID, dict(type='BFP', in_channels=8, num_levels=4)]
    with pytest.raises(UserError, match='BFP does not say.*set out_channels and num'):
        AttentionNeck(necks, ECA)
    with pytest.raises(UserError, match='how many maps it gives: set num_outs of'):
        AttentionNeck(necks, ECA, out_channels=8)
    neck = AttentionNeck(necks, ECA, out_channels=8, num_outs=4)
    assert [out.shape[2] for out in neck(maps())] == [32, 16, 8, 4]
    neck = AttentionNeck(PYRAMID, ECA, num_outs=3)
    with pytest.raises(UserError, match='FPN gives 4 maps, not 3: set num_outs=4'):
        neck(maps())
    neck = AttentionNeck(PYRAMID, ECA, out_channels=16)
    with pytest.raises(UserError, match=r'not \[16, .*set out_channels=\[8, 8, 8, 8\]'):
        neck(maps())


@pytest.mark.parametrize(
    ('neck', 'message'),
    [
        (dict(type='FNP', in_channels=IN), "'FNP' is not registered; near ones.* FPN"),
        (dict(in_channels=IN), "a dict with a 'type' such as dict.type='FPN'"),
        ('FPN', "a dict with a 'type'.*got 'FPN'"),
        ([PYRAMID, 'BFP'], "or a list of them, got 'BFP'"),
    ],
    ids=str,
)
def test_a_neck_that_is_none_is_named(neck, message):
    with pytest.raises(UserError, match=message):
        AttentionNeck(neck, ECA)


@pytest.mark.parametrize(
    ('attention', 'message'),
    [
        (dict(type='SEVar1'), 'SEVar1 has no weights'),
        (dict(type='Conv'), 'is no AttentionLayer'),
        (dict(type='ECALayr'), 'near ones are ECALayer'),
        (dict(type='ECALayer', kernel_size=9), 'at most the 8 channels, got 9'),
    ],
)
def test_a_layer_that_does_not_go_is_named(attention, message):
    with pytest.raises(UserError, match=message):
        AttentionNeck(PYRAMID, attention, identity=True)
