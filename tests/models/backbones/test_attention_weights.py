import logging

import pytest
import torch
from mmdet.models.backbones import ResNet
from mmengine.logging import MMLogger
from mmengine.runner import load_checkpoint

from mmdet_eca import ECAResNet, UserError


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


def backbone(kernel_size=(3, 5, 5, 7)):
    return ECAResNet(50, kernel_size, base_channels=4)


def test_the_authors_file_loads_whole(tmp_path):
    """Their files are those of a DataParallel classifier: 'module.' before
    every name, a classifier, and the training's state beside."""
    source = backbone()
    path = tmp_path / 'eca_resnet50_k3557.pth.tar'
    state = {f'module.{name}': p for name, p in source.state_dict().items()}
    state['module.fc.weight'] = torch.zeros(1000, 128)
    state['module.fc.bias'] = torch.zeros(1000)
    torch.save(
        dict(epoch=100, arch='eca_resnet50', state_dict=state,
             best_prec1=torch.tensor(77.5)), path)

    loaded = backbone()
    loaded.init_cfg = dict(type='Pretrained', checkpoint=str(path))
    loaded.init_weights()
    for name, parameter in source.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], parameter), name


@pytest.mark.parametrize('prefix', ['', 'backbone.'])
def test_another_kernel_size_is_refused_with_the_setting_that_fits(
        tmp_path, prefix):
    path = tmp_path / 'checkpoint.pth'
    torch.save(
        {f'{prefix}{k}': v for k, v in backbone().state_dict().items()}, path)
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
    with pytest.raises(UserError, match=r"not 'layer3.4.eca.*1 of 16"):
        backbone().load_state_dict(state)


def test_plain_resnet_weights_load_with_one_line(log):
    plain = ResNet(50, base_channels=4)
    model = backbone()
    model.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(model.conv1.weight, plain.conv1.weight)
    assert log == [
        'The checkpoint has no weights for the channel attention of '
        'ECAResNet: the attention starts untrained.'
    ]


def test_nothing_is_said_where_all_fits(log):
    backbone().load_state_dict(backbone().state_dict())
    assert not log
