import logging

import pytest
import torch
from mmdet.models.backbones import ResNet
from mmengine.logging import MMLogger
from mmengine.runner import load_checkpoint

from mmdet_eca import ECAMobileNetV2, ECAResNet, SEResNet, UserError


@pytest.fixture
def log(monkeypatch):
    """The warnings that are logged, line by line."""
    lines = []
    logger = MMLogger.get_instance('attention_weights')

    def keep(record):
        if record.levelno >= logging.WARNING:
            lines.append(record.getMessage())

    monkeypatch.setattr(logger, 'handle', keep)
    return lines


def backbone(kernel_size=(3, 5, 5, 7), **kwargs):
    return ECAResNet(50, kernel_size, base_channels=4, **kwargs)


def test_the_authors_file_loads_whole(tmp_path):
    """Their files are those of a DataParallel classifier: 'module.' before
    every name, a classifier, and the training's state beside."""
    source = backbone()
    path = tmp_path / 'eca_resnet50_k3557.pth.tar'
    state = {f'module.{name}': p for name, p in source.state_dict().items()}
    state['module.fc.weight'] = torch.zeros(1000, 128)
    state['module.fc.bias'] = torch.zeros(1000)
    torch.save(
        dict(
            epoch=100,
            arch='eca_resnet50',
            state_dict=state,
            best_prec1=torch.tensor(77.5),
        ),
        path,
    )

    loaded = backbone()
    loaded.init_cfg = dict(type='Pretrained', checkpoint=str(path))
    loaded.init_weights()
    for name, parameter in source.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], parameter), name


@pytest.mark.parametrize('prefix', ['', 'backbone.'])
def test_another_kernel_size_is_refused_with_the_setting_that_fits(tmp_path, prefix):
    path = tmp_path / 'checkpoint.pth'
    torch.save({f'{prefix}{k}': v for k, v in backbone().state_dict().items()}, path)
    model = backbone(5)
    if prefix:
        model = torch.nn.ModuleDict(dict(backbone=model))
    with pytest.raises(UserError) as error:
        load_checkpoint(model, str(path), map_location='cpu')
    message = str(error.value)
    assert 'layer1: 3 in the checkpoint, 5 in the model' in message
    assert 'layer4: 7 in the checkpoint, 5 in the model' in message
    assert 'layer2' not in message
    assert 'set kernel_size=(3, 5, 5, 7)' in message
    with pytest.raises(UserError, match='kernel_size='):  # torch's own loading
        backbone(5).load_state_dict(backbone().state_dict())


def test_sizes_that_differ_within_a_stage_fit_no_setting():
    state = backbone().state_dict()
    state['layer2.1.eca.conv.weight'] = torch.zeros(1, 1, 9)
    with pytest.raises(UserError, match='5 and 9 in the checkpoint.*no setting'):
        backbone().load_state_dict(state)


def test_a_missing_attention_weight_is_refused():
    state = backbone().state_dict()
    del state['layer3.4.eca.conv.weight']
    with pytest.raises(UserError, match=r"lacks 'layer3.4.eca.*1 names"):
        backbone().load_state_dict(state)


def test_plain_resnet_weights_load_with_one_line(log):
    plain = ResNet(50, base_channels=4)
    model = backbone()
    model.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(model.conv1.weight, plain.conv1.weight)
    (line,) = log
    assert 'ECAResNet starts as the identity' in line


def test_nothing_is_said_where_all_fits(log):
    for strict in (True, False):
        backbone(frozen_stages=1, strict_attention=strict).load_state_dict(
            backbone().state_dict()
        )
    assert not log


@pytest.mark.parametrize(
    ('frozen_stages', 'stages'), [(0, None), (1, 'layer1'), (2, 'layer1 and layer2')]
)
@pytest.mark.parametrize(
    'build', [backbone, lambda **kwargs: ECAMobileNetV2(widen_factor=0.25, **kwargs)]
)
def test_attention_that_a_frozen_stage_keeps_from_learning_is_named(
    log, build, frozen_stages, stages
):
    """In mmdet's MobileNetV2 the stages are frozen by train() only."""
    model = build(frozen_stages=frozen_stages)
    plain = {
        name: weight
        for name, weight in model.state_dict().items()
        if '.eca.' not in name
    }
    model.load_state_dict(plain, strict=False)
    (line,) = log
    assert f'{type(model).__name__} starts as the identity' in line
    assert (f'that of {stages} stays' in line) == ('frozen_stages=0' in line)
    assert ('frozen_stages=0' in line) == bool(stages)
    model.train()
    frozen = {
        name.split('.')[0]
        for name, weight in model.named_parameters()
        if '.eca.' in name and not weight.requires_grad
    }
    assert frozen == set(stages.split(' and ') if stages else ())


@pytest.mark.parametrize(('frozen_stages', 'count'), [(1, 3), (0, 0)])
def test_an_untrained_plugin_in_a_frozen_stage_is_named(
    log, tmp_path, frozen_stages, count
):
    """In mmdet's own backbone, as its Pretrained initialisation loads it."""
    path = tmp_path / 'resnet50.pth'
    torch.save(ResNet(50, base_channels=4).state_dict(), path)
    model = ResNet(
        50,
        base_channels=4,
        frozen_stages=frozen_stages,
        plugins=[dict(cfg=dict(type='mmdet.ECALayer'), position='after_conv3')],
        init_cfg=dict(type='Pretrained', checkpoint=str(path)),
    )
    model.init_weights()
    named = [line for line in log if 'stays untrained' in line]
    assert len(named) == count
    assert all(f'layer1.{block}.eca' in line for block, line in enumerate(named))
    log.clear()
    model.load_state_dict(model.state_dict())
    assert not log


def test_without_strict_attention_the_layers_that_fit_are_loaded(log):
    """From sizes (3, 5, 5, 7) to 5: the second and third stage."""
    model = backbone(5, strict_attention=False, frozen_stages=1)
    initial = {k: v.clone() for k, v in model.state_dict().items()}
    state = backbone().state_dict()
    given = {name: weight.clone() for name, weight in state.items()}
    model.load_state_dict(state)  # strict for all the rest
    assert state.keys() == given.keys() and all(
        torch.equal(state[name], given[name]) for name in state
    )
    untrained = [
        name
        for name in initial
        if '.eca.' in name and name.startswith(('layer1', 'layer4'))
    ]
    for name, weight in model.state_dict().items():
        source = initial if name in untrained else given
        assert torch.equal(weight, source[name]), name
    names = ', '.join(name[: -len('.conv.weight')] for name in untrained)
    (line,) = log
    assert f'starts untrained: {names}; that of layer1 stays' in line


def test_without_strict_attention_another_kind_is_left_out(log, tmp_path):
    """By mmengine's loader, in a detector; some layers missing, too."""
    source = SEResNet(50, base_channels=4, ratio=4)
    state = {f'backbone.{k}': v for k, v in source.state_dict().items()}
    torch.save(state, tmp_path / 'se.pth')
    model = torch.nn.ModuleDict(dict(backbone=backbone(strict_attention=False)))
    gates = {k: v.clone() for k, v in model.state_dict().items() if '.eca.' in k}
    load_checkpoint(model, str(tmp_path / 'se.pth'), map_location='cpu')
    for name, weight in model.state_dict().items():
        expected = gates[name] if name in gates else state[name]
        assert torch.equal(weight, expected), name
    assert len(log) == 1 and 'layer1.0.eca, layer1.1.eca' in log[0]
    assert log[0].count('.eca') == 16


def test_the_refusal_names_the_switch():
    with pytest.raises(
        UserError,
        match='set kernel_size=.*or strict_attention='
        'False to start the attention that differs untrained',
    ):
        backbone(5).load_state_dict(backbone().state_dict())
