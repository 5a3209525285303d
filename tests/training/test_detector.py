import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

from mmdet_eca import UserError, config_path
from mmdet_eca.training import detector
from mmdet_eca.training.detector import load_detector

CONFIG = 'digits/retinanet_eca_r50_digits.py'
CLASSES = tuple('0123456789')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A detector with numbers that no initialisation gives, and its checkpoint."""
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config_path(CONFIG)).model)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value))
    path = str(tmp_path_factory.mktemp('detector') / 'epoch_1.pth')
    save(model.state_dict(), path)
    return model.eval(), path


def save(state_dict, path, classes=CLASSES):
    meta = dict(dataset_meta=dict(CLASSES=classes))
    torch.save(dict(state_dict=state_dict, meta=meta), path)
    return str(path)


def test_every_weight_is_the_checkpoints_and_nothing_trains(trained):
    model, path = trained
    loaded = load_detector(CONFIG, path, 'cpu')
    assert not loaded.training
    assert loaded.dataset_meta['classes'] == CLASSES
    assert loaded.cfg.model.type == 'RetinaNet'
    expected = model.state_dict()
    assert expected.keys() == loaded.state_dict().keys()
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_weights_of_several_gpus_and_configs_in_memory_load(trained, tmp_path):
    model, _ = trained
    path = save(
        {f'module.{name}': value for name, value in model.state_dict().items()},
        tmp_path / 'ddp.pth',
    )
    config = Config.fromfile(config_path(CONFIG))
    before = copy.deepcopy(config)
    loaded = load_detector(config, path, 'cpu')
    assert torch.equal(loaded.backbone.conv1.weight, model.backbone.conv1.weight)
    assert config.to_dict() == before.to_dict()


def test_a_gpu_that_mmcv_has_no_operators_for_is_left_alone(trained, monkeypatch):
    monkeypatch.setattr(detector, 'get_device', lambda: 'cuda')
    monkeypatch.setattr(detector, 'operators_run_on_gpus', lambda: False)
    loaded = load_detector(CONFIG, trained[1])
    assert next(loaded.parameters()).device.type == 'cpu'


def test_what_does_not_fit_is_one_clear_error(trained, tmp_path):
    model, path = trained
    weights = model.state_dict()

    def mistake(config=CONFIG, checkpoint=path, device='cpu'):
        with pytest.raises(UserError) as error:
            load_detector(config, str(checkpoint), device)
        return str(error.value)

    assert 'nothing.py does not exist' in mistake(config='nothing.py')
    assert 'nothing.pth does not exist' in mistake(checkpoint=tmp_path / 'nothing.pth')
    assert "no device 'abacus'" in mistake(device='abacus')

    plain = {name: value for name, value in weights.items() if '.eca.' not in name}
    message = mistake(checkpoint=save(plain, tmp_path / 'plain.pth'))
    assert "lacks 'backbone.layer1.0.eca.conv.weight' (16 names missing)" in message

    others = save(weights, tmp_path / 'others.pth', ('cat', *CLASSES[1:]))
    message = mistake(checkpoint=others)
    assert 'trained for 10 classes (cat, 1, 2, 3, 4, ...)' in message
    assert 'the config has 10 (0, 1, 2, 3, 4, ...)' in message

    wider = dict(weights, **{'bbox_head.retina_cls.weight': torch.zeros(99, 64, 3, 3)})
    message = mistake(checkpoint=save(wider, tmp_path / 'wider.pth'))
    assert 'bbox_head.retina_cls.weight is of shape (99, 64, 3, 3)' in message
    assert 'in this RetinaNet it is (90, 64, 3, 3)' in message
