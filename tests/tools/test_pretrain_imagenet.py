"""Pretraining by the command line, on real image folders."""

import hashlib
import multiprocessing
import re
import shutil

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import Registry

from mmdet_eca import ECAResNet, UserError, config_path
from mmdet_eca.pretraining import check_classes
from mmdet_eca.pretraining import pretrain as train
from tests.conftest import ROOT, run, write_images
from tests.tools.in_process import call, log, mistake
from tests.tools.test_train import free_port, scalars

# Processes that can be killed, without the seconds in which Python imports mmdet.
FORK = multiprocessing.get_context('fork')
# The paper's ECA-ResNet-18 on small images, with a moving average.
CONFIG = f"""
_base_ = '{ROOT}/configs/imagenet/BASE.py'
custom_imports = dict(
    imports=['mmdet_eca.pretraining', 'tests.tools.pretraining_hooks'])
_loader = dict(num_workers=1, pin_memory=False)
train_dataloader = dict(
    **_loader, batch_size=12, dataset=dict(
        root='DATA/train',
        pipeline=[dict(type='LoadRandomResizedCrop', size=24),
                  dict(type='RandomMirror'), dict(type='PackImage')]))
val_dataloader = dict(
    **_loader, dataset=dict(
        root='DATA/val',
        pipeline=[dict(type='LoadCenterCrop', size=24, shorter_side=28),
                  dict(type='PackImage')]))
model = dict(backbone=dict(base_channels=8), in_channels=64, num_classes=10,
             dropout=0.1)
optim_wrapper = dict(optimizer=dict(lr=0.02))
train_cfg = dict(max_epochs=4)
param_scheduler = dict(_delete_=True, type='CosineAnnealingLR', T_max=4,
                       convert_to_iter_based=True)
custom_hooks = [dict(type='EMAHook', momentum=0.1, update_buffers=True)]
default_hooks = dict(logger=dict(interval=1))
"""


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Ten classes of another hue, 24 images each for training."""
    folder = tmp_path_factory.mktemp('images')
    write_images(folder / 'train', '0123456789', 24, seed=0)
    write_images(folder / 'val', '0123456789', 6, seed=1)
    return folder


def small_config(data, base='eca_resnet18'):
    return CONFIG.replace('DATA', str(data)).replace('BASE', base)


def command(data, work_dir, *settings, base='eca_resnet18', append=''):
    """The arguments that train the config above."""
    work_dir.mkdir(exist_ok=True)
    config = work_dir / 'small.py'
    config.write_text(small_config(data, base) + append)
    return (config, '--work-dir', work_dir, *settings)


def pretrain(data, work_dir, *settings, **changes):
    """Trains the config above; what was logged."""
    call('pretrain-imagenet', *command(data, work_dir, *settings, **changes))
    return log(work_dir)


@pytest.fixture(scope='module')
def trained(images, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('trained')
    return work_dir, pretrain(images, work_dir)


def test_loss_falls_and_top1_beats_chance_by_five_times(trained):
    work_dir, _ = trained
    rows = scalars(work_dir)
    losses = [row['loss'] for row in rows if 'loss' in row]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    last = [row for row in rows if 'top1' in row][-1]
    assert last['top1'] >= 50 and last['top5'] >= last['top1']


def test_export_is_what_a_detector_takes(trained, tmp_path):
    work_dir, output = trained
    (path,) = work_dir.glob('*-backbone-*')
    assert re.fullmatch(r'small-backbone-[0-9a-f]{8}\.pth', path.name)
    assert str(path) in output
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f'small-backbone-{digest[:8]}.pth'
    exported = torch.load(path, weights_only=True)
    # With an EMAHook, mmengine keeps the averaged weights as the state_dict.
    averaged = torch.load(work_dir / 'epoch_4.pth')['state_dict']
    assert {f'backbone.{name}' for name in exported['state_dict']} == {
        name for name in averaged if name.startswith('backbone.')
    }
    for name, value in exported['state_dict'].items():
        assert torch.equal(value, averaged[f'backbone.{name}'])
    meta = exported['meta']
    assert meta['epochs'] == 4 and meta['classes'] == tuple('0123456789')
    sizes = (3, 5, 7, 7)
    assert meta['kernel_sizes'] == {
        f'layer{i + 1}.{block}.eca': size
        for i, size in enumerate(sizes)
        for block in (0, 1)
    }
    recipe = Config.fromstring(meta['config'], '.py')
    assert recipe.optim_wrapper.optimizer.lr == 0.02

    cfg = Config.fromfile(config_path('retinanet_eca_r50_fpn_1x.py'))
    cfg.model.backbone.update(
        depth=18,
        base_channels=8,
        kernel_size=sizes,
        init_cfg=dict(type='Pretrained', checkpoint=str(path)),
    )
    cfg.model.neck.in_channels = [8, 16, 32, 64]
    detector = MODELS.build(cfg.model)
    detector.init_weights()
    for name, value in detector.backbone.state_dict().items():
        assert torch.equal(value, exported['state_dict'][name]), name
    outs = detector.eval()(torch.rand(1, 3, 64, 64), mode='tensor')
    assert all(out.isfinite().all() for level in outs for out in level)
    with pytest.raises(UserError, match=r'set kernel_size=\(3, 5, 7, 7\)'):
        ECAResNet(
            18,
            3,
            base_channels=8,
            init_cfg=dict(type='Pretrained', checkpoint=str(path)),
        ).init_weights()


def test_a_run_killed_twice_ends_like_an_uninterrupted_one(trained, images, tmp_path):
    """First in the middle of an epoch of 20 iterations, then while it writes a
    checkpoint."""
    for iteration, truncate in ((29, False), (45, True)):
        hook = (
            f"custom_hooks.append(dict(type='KillHook', truncate={truncate},"
            f' iteration={iteration}))'
        )
        killed = FORK.Process(
            target=call,
            args=(
                'pretrain-imagenet',
                *command(images, tmp_path, '--resume', append=hook),
            ),
        )
        killed.start()
        killed.join()
        assert killed.exitcode == -9
    output = pretrain(images, tmp_path, '--resume')
    assert 'resumed epoch: 2, iter: 40' in output
    one, other = (
        torch.load(folder / 'epoch_4.pth') for folder in (trained[0], tmp_path)
    )
    for key in ('state_dict', 'ema_state_dict'):
        assert one[key].keys() == other[key].keys()
        for name, value in one[key].items():
            torch.testing.assert_close(
                other[key][name], value, rtol=1e-6, atol=1e-6, msg=name
            )
    assert one['param_schedulers'] == other['param_schedulers']
    expected = {row['step']: row['lr'] for row in scalars(trained[0]) if 'loss' in row}
    resumed = {row['step']: row['lr'] for row in scalars(tmp_path) if 'loss' in row}
    assert resumed == expected and len(resumed) == 80
    exports = [
        path.name
        for folder in (trained[0], tmp_path)
        for path in folder.glob('*-backbone-*')
    ]
    assert len(exports) == 2


def test_two_processes_have_the_gradient_of_one(images, tmp_path):
    """Batch 6 each and 12: BN in evaluation mode, no dropout, one step."""
    append = (
        'model.update(dropout=0)\n'
        "model['backbone'].update(norm_eval=True)\n"
        "custom_hooks.append(dict(type='WriteGradients'))\n"
        'train_cfg = dict(max_epochs=1, val_begin=2)\n'
    )
    settings = ('--cfg-options', 'train_dataloader.num_batch_per_epoch=1')
    half = 'train_dataloader.batch_size=6'
    config, *arguments = command(
        images, tmp_path / 'two', *settings, half, append=append
    )
    run(
        'tools/dist_pretrain.sh',
        config,
        2,
        *arguments,
        PYTHONPATH=ROOT,
        PORT=str(free_port()),
    )
    pretrain(images, tmp_path / 'one', *settings, append=append)
    two, one = (
        torch.load(tmp_path / folder / 'gradients.pth') for folder in ('two', 'one')
    )
    assert len(two) > 60
    for name, gradient in one.items():
        assert (two[name] - gradient).norm() <= 1e-5 * gradient.norm(), name


def test_modern_recipe_grows_its_crops(images, tmp_path):
    """Ours on the CPU, in float32: other crops in each epoch, with workers that
    stay alive, and the averaged weights in the end."""
    append = """
optim_wrapper = dict(
    _delete_=True, type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=5e-5,
                   nesterov=True),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0))
model = dict(backbone=dict(base_channels=8, stem_channels=8), in_channels=256,
             num_classes=10)
train_cfg = dict(max_epochs=3, val_interval=3)
del param_scheduler
train_dataloader['batch_size'] = 24
train_dataloader['dataset']['pipeline'][0]['size'] = 16
custom_hooks = _base_.custom_hooks
for epoch, size in ((1, 24), (2, 32)):
    custom_hooks[epoch + 1]['switch_epoch'] = epoch
    custom_hooks[epoch + 1]['switch_pipeline'][0]['size'] = size
custom_hooks.append(dict(type='LogInputSizes'))
"""
    output = pretrain(images, tmp_path, base='eca_resnet50d_modern', append=append)
    assert re.findall(r'epoch (\d) has batches \((.+)\)', output) == [
        (str(i), f'24, {size}, {size}, 3') for i, size in enumerate((16, 24, 32))
    ]
    (path,) = tmp_path.glob('*-backbone-*')
    averaged = torch.load(tmp_path / 'epoch_3.pth')['state_dict']
    for name, value in torch.load(path)['state_dict'].items():
        assert torch.equal(value, averaged[f'backbone.{name}'])


def test_mixed_precision_needs_a_gpu(tmp_path):
    cfg = Config.fromfile(config_path('imagenet/eca_resnet50_modern.py'))
    with pytest.raises(UserError, match='needs a GPU: take a config without'):
        train(cfg)


def test_another_librarys_registry_builds_our_backbones():
    """As MMPretrain's, a sibling of mmdet's."""
    theirs = Registry('model', parent=ROOT_MODELS, scope='theirs')
    backbone = theirs.build(dict(type='mmdet.ECAResNet', depth=18))
    assert isinstance(backbone, ECAResNet)


def spoiled(images, tmp_path):
    """A copy with a text file among the training images."""
    data = tmp_path / 'data'
    shutil.copytree(images, data)
    (data / 'train' / '3' / '7.jpg').write_text('404 Not Found')
    half = data / 'train' / '4' / '8.jpg'
    half.write_bytes(half.read_bytes()[:-40])
    return data


def test_a_corrupt_image_stops_the_training(images, tmp_path):
    data = spoiled(images, tmp_path)
    line = mistake('pretrain-imagenet', *command(data, tmp_path / 'work'))
    assert re.search(
        r'corrupt images, 0 allowed: .*data/train/(3/7|4/8).jpg: '
        '(not an image|.*truncated)',
        line,
    )


def test_a_diverged_training_is_no_success(images, tmp_path):
    settings = ('train_cfg.max_epochs=1', 'optim_wrapper.optimizer.lr=1e30')
    line = mistake(
        'pretrain-imagenet', *command(images, tmp_path, '--cfg-options', *settings)
    )
    assert re.search(
        rf'error: loss=(nan|inf) in iteration \d \(epoch 1\) of {images}/train/\S+, '
        '.*: the training has diverged',
        line,
    )


def test_corrupt_images_are_skipped_up_to_the_limit(images, tmp_path):
    data = spoiled(images, tmp_path)
    output = pretrain(
        data,
        tmp_path / 'work',
        '--cfg-options',
        'default_hooks.corrupt_images.limit=2',
        'train_cfg.max_epochs=2',
    )
    found = re.findall(r'corrupt image (\d), skipped: \S+?(\d/\d.jpg): ', output)
    assert sorted(row[1] for row in found) == ['3/7.jpg', '4/8.jpg']
    assert [row[0] for row in found] == ['1', '2']  # once, not once an epoch
    assert 'Epoch(val) [2]' in output


def test_different_classes_are_named(images, tmp_path):
    shutil.copytree(images, tmp_path / 'data')
    data = tmp_path / 'data'
    cfg = Config.fromstring(small_config(data), '.py')
    check_classes(cfg)
    (data / 'val' / '9').rename(data / 'val' / 'nine')
    with pytest.raises(
        UserError,
        match=r'different class folders: 9 \(only in '
        r'\S+train\), nine \(only in \S+val\)$',
    ):
        check_classes(cfg)
    shutil.rmtree(data / 'val' / 'nine')
    shutil.rmtree(data / 'train' / '9')
    with pytest.raises(UserError, match='9 class fold.*set model.num_classes=9'):
        check_classes(cfg)


def test_wrapped_folders_are_checked_and_trained(images, tmp_path):
    """Twice 240 training images and 60 others make 45 batches of 12."""
    append = """
_folder = dict(train_dataloader['dataset'], type='ImageFolder')
train_dataloader['dataset'] = dict(
    _delete_=True,
    type='ConcatDataset',
    datasets=[dict(type='RepeatDataset', times=2, dataset=_folder),
              dict(_folder, root='VAL')])
train_cfg = dict(max_epochs=1)
"""
    output = pretrain(
        images, tmp_path / 'work', append=append.replace('VAL', f'{images}/val')
    )
    assert 'Epoch(train) [1][45/45]' in re.sub(' +', ' ', output)
    (path,) = (tmp_path / 'work').glob('*-backbone-*')
    assert torch.load(path)['meta']['classes'] == tuple('0123456789')
    cfg = Config.fromfile(tmp_path / 'work' / 'small.py')
    shutil.copytree(images / 'val', tmp_path / 'other')
    (tmp_path / 'other' / '9').rename(tmp_path / 'other' / 'nine')
    cfg.train_dataloader.dataset.datasets[1].root = str(tmp_path / 'other')
    with pytest.raises(
        UserError,
        match=r'train and \S+other have different class '
        r'folders: 9 \(only in \S+train\), nine',
    ):
        check_classes(cfg)


def test_without_the_data_set_its_folder_is_named(tmp_path):
    config = 'configs/imagenet/eca_resnet50.py'
    line = mistake('pretrain-imagenet', config, '--work-dir', tmp_path)
    assert 'data/imagenet/train is no folder' in line
    assert not list(tmp_path.iterdir())
