"""The exported backbone: its name, and what is found out before the training."""

import hashlib
import logging
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmdet_eca import ECAResNet, UserError
from mmdet_eca.pretraining import ExportBackboneHook, ImageClassifier

BACKBONE = dict(type='mmdet.ECAResNet', depth=18, base_channels=4)


def runner(work_dir, model, filename=None, classes=('a', 'b')):
    """What the hook sees of a runner."""
    work_dir.mkdir()
    cfg = Config(dict(model=dict(backbone=BACKBONE)), '# text', filename)
    return SimpleNamespace(
        model=model,
        hooks=[],
        cfg=cfg,
        work_dir=str(work_dir),
        epoch=3,
        logger=logging.getLogger('export'),
        train_dataloader=SimpleNamespace(
            dataset=SimpleNamespace(metainfo=dict(classes=classes))
        ),
    )


def export(run):
    hook = ExportBackboneHook()
    hook.before_train(run)
    hook.after_train(run)


@pytest.mark.parametrize(
    ('filename', 'work_dir', 'name'),
    [(None, 'my_run', 'my_run'), ('configs/eca-50.v2.py', 'x', 'eca-50_v2')],
)
def test_name_carries_the_hash_of_the_file(tmp_path, filename, work_dir, name):
    """A config that was made in Python has no name: the work directory's. And
    torch.hub, which looks for the hash of what it downloads, finds it."""
    folder = tmp_path / work_dir
    export(runner(folder, ImageClassifier(BACKBONE, 32, 2), filename))
    (path,) = folder.iterdir()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f'{name}-backbone-{digest[:8]}.pth'
    assert torch.hub.HASH_REGEX.search(path.name)[1] == digest[:8]
    assert torch.load(path, weights_only=True)['meta']['name'] == name


def test_bfloat16_is_exported(tmp_path):
    model = ImageClassifier(BACKBONE, 32, 2).bfloat16()
    export(runner(tmp_path / 'work', model))
    (path,) = (tmp_path / 'work').iterdir()
    exported = torch.load(path, weights_only=True)['state_dict']
    assert exported['conv1.weight'].dtype == torch.bfloat16
    detector = ECAResNet(
        18, base_channels=4, init_cfg=dict(type='Pretrained', checkpoint=str(path))
    )
    detector.init_weights()
    assert torch.equal(detector.conv1.weight, model.backbone.conv1.weight.float())


def test_nothing_is_left_before_the_training(tmp_path):
    run = runner(tmp_path / 'work', ImageClassifier(BACKBONE, 32, 2))
    ExportBackboneHook().before_train(run)
    assert not list((tmp_path / 'work').iterdir())


def test_what_cannot_be_exported_is_refused_before_the_training(tmp_path):
    with pytest.raises(UserError, match='Linear has no backbone to export'):
        ExportBackboneHook().before_train(runner(tmp_path / 'linear', nn.Linear(2, 2)))
    run = runner(tmp_path / 'work', ImageClassifier(BACKBONE, 32, 2))
    (tmp_path / 'work').rename(tmp_path / 'elsewhere')
    (tmp_path / 'work').write_text('a file, in which nothing can be written')
    with pytest.raises(FileExistsError):
        ExportBackboneHook().before_train(run)
