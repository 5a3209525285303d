"""Mistakes in configs and options end in one line that names them."""

import argparse
import copy
import errno
import os
import socket
import urllib.error

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

from mmdet_eca import UserError, config_path
from mmdet_eca.training.checks import check_config
from mmdet_eca.training.cli import add_train_arguments, load_train_config
from mmdet_eca.training.mistakes import check_keys, explained_mistakes, merge_options
from tests.conftest import run

DIGITS = 'digits/faster_rcnn_eca_r50_digits.py'


@pytest.fixture
def cfg(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where there is no data, whatever the demo has made
    return Config.fromfile(config_path(DIGITS))


@pytest.mark.parametrize(
    ('option', 'names'),
    [
        ('optimizer.lr', ['2.x', 'optim_wrapper.optimizer']),
        ('data.samples_per_gpu', ['2.x', 'train_dataloader']),
        ('runner.max_epochs', ['2.x', 'train_cfg']),
        ('optim_wraper.optimizer.lr', ["'optim_wrapper'"]),
        ('optim_wrapper.optimiser.lr', ["'optimizer'"]),
        ('train_dataloader.batchsize', ["'batch_size'"]),
        ('nothing_like_it', []),
        ('custom_hooks.type', []),
    ],
)
def test_an_option_that_nothing_reads_is_refused_with_what_is_meant(cfg, option, names):
    before = cfg.pretty_text
    with pytest.raises(UserError) as error:
        merge_options(cfg, {option: 3})
    assert all(name in str(error.value) for name in [option, *names])
    assert cfg.pretty_text == before


@pytest.mark.parametrize(
    'option',
    [
        'train_cfg.max_epochs',
        'auto_scale_lr.enable',
        'randomness.seed',
        'exact_resume',
        'model.test_cfg.rcnn.nms.iou_threshold',
        'optim_wrapper.clip_grad.max_norm',
        'default_hooks.checkpoint.minutes',
        'tta_model.tta_cfg.max_per_img',
    ],
)
def test_settings_and_new_ones_of_the_parts_are_taken(cfg, option):
    merge_options(cfg, {option: 3})
    value = cfg
    for key in option.split('.'):
        value = value[key]
    assert value == 3


@pytest.mark.parametrize(
    ('settings', 'names'),
    [
        (dict(data=dict(samples_per_gpu=2), model=dict()), ["'data'", '2.x']),
        (dict(optim_wraper=dict(lr=1)), ["'optim_wraper'", "'optim_wrapper'"]),
        (dict(custom_hook=[dict(type='EMAHook')]), ["'custom_hooks'"]),
    ],
)
def test_a_config_with_other_names_is_refused(settings, names):
    with pytest.raises(UserError) as error:
        check_keys(Config(settings))
    assert all(name in str(error.value) for name in names)


def test_variables_of_a_config_are_no_settings(cfg):
    cfg.train_pipeline_2 = [dict(type='LoadImageFromFile')]
    cfg.my_hooks = [1]
    check_keys(cfg)


@pytest.mark.parametrize(
    'text',
    ["_base_ = 'nope.py'", 'model = dict(', "custom_imports = dict(imports=['nope'])"],
)
def test_a_config_that_cannot_be_read_is_named(text, tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(text)
    with pytest.raises(UserError, match='mine.py'), explained_mistakes(str(path)):
        Config.fromfile(path)


@pytest.mark.parametrize('number', [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_disk_that_takes_nothing_is_named(number):
    with pytest.raises(UserError, match='there/x') as error, explained_mistakes():
        raise OSError(number, os.strerror(number), 'there/x')
    assert os.strerror(number) in str(error.value)


def test_other_errors_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), explained_mistakes():
        print(1 / 0)
    with pytest.raises(FileNotFoundError), explained_mistakes():
        os.stat('/nowhere/x')


def test_a_port_that_is_taken_is_named():
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(
            *('env', f'PORT={port}', 'tools/dist_train.sh', DIGITS, '1'), check=False
        )
    assert done.returncode and f'127.0.0.1:{port}' in done.stderr.splitlines()[-1]
    assert 'Traceback' not in done.stderr


def test_the_data_root_is_named_where_it_is_set(cfg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=dataset)
    with pytest.raises(UserError) as error:
        check_config(cfg, ('train',))
    for words in (str(tmp_path), 'train_dataloader.dataset.dataset.data_root'):
        assert words in str(error.value)


def test_weights_of_another_backbone_are_refused_and_other_heads_are_not(cfg, tmp_path):
    other = copy.deepcopy(cfg.model)
    other.roi_head.bbox_head.num_classes = 3
    torch.save(MODELS.build(other).state_dict(), tmp_path / 'heads.pth')
    other.backbone.update(base_channels=cfg.model.backbone.base_channels // 2)
    other.neck.in_channels = [n // 2 for n in cfg.model.neck.in_channels]
    torch.save(MODELS.build(other).state_dict(), tmp_path / 'narrow.pth')
    cfg.load_from = str(tmp_path / 'narrow.pth')
    with pytest.raises(UserError, match=r'narrow.pth.*backbone.conv1.weight'):
        check_config(cfg, ('train',))
    cfg.load_from = str(tmp_path / 'heads.pth')
    with pytest.raises(UserError, match='does not exist'):  # the data
        check_config(cfg, ('train',))


def test_epochs_and_batch_size_are_options_of_train(tmp_path):
    parser = argparse.ArgumentParser()
    add_train_arguments(parser)
    words = [config_path('mask_rcnn_eca_r50_fpn_1x.py'), '--epochs', '24']
    cfg = load_train_config(parser.parse_args([*words, '--batch-size', '4']))
    assert cfg.train_cfg.max_epochs == 24
    assert cfg.param_scheduler[0].end == 500  # iterations
    assert cfg.param_scheduler[1].milestones == [16, 22]
    assert cfg.train_dataloader.batch_size == 4 and cfg.auto_scale_lr.enable
    with pytest.raises(UserError, match='--epochs 0'):
        load_train_config(parser.parse_args([words[0], '--epochs', '0']))


def test_weights_of_a_shallower_backbone_are_refused(cfg, tmp_path):
    other = copy.deepcopy(cfg.model)
    other.backbone.update(type='ResNet', depth=18)
    other.backbone.pop('kernel_size', None)
    other.neck.in_channels = [n // 4 for n in cfg.model.neck.in_channels]
    cfg.model.backbone.depth = 34
    cfg.model.neck.in_channels = other.neck.in_channels
    torch.save(MODELS.build(other).state_dict(), tmp_path / 'plain18.pth')
    cfg.load_from = str(tmp_path / 'plain18.pth')
    with pytest.raises(UserError, match=r'plain18.pth.*no backbone.layer1.2'):
        check_config(cfg, ('train',))


def test_a_neck_takes_the_channels_of_the_backbone(cfg):
    width = cfg.model.backbone.base_channels
    cfg.model.backbone.depth = 18
    with pytest.raises(UserError, match='model.neck.in_channels') as error:
        check_config(cfg, ('train',))
    assert str([width, 2 * width, 4 * width, 8 * width]) in str(error.value)


@pytest.mark.parametrize('loader', ['val', 'test'])
def test_a_loop_is_whole_or_off(loader, cfg):
    cfg[f'{loader}_dataloader'] = None
    with pytest.raises(UserError, match=f'{loader}_dataloader is None'):
        check_config(cfg, ('train', 'val'))
    cfg[f'{loader}_cfg'] = cfg[f'{loader}_evaluator'] = None
    with pytest.raises(UserError, match='does not exist'):  # the data
        check_config(cfg, ('train', 'val'))


def test_without_a_test_set_there_is_no_test(cfg):
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    with pytest.raises(UserError, match='test_dataloader'):
        check_config(cfg, ('test',))


@pytest.mark.parametrize(
    ('option', 'place'),
    [
        ('train_pipeline.2.scale', 'train_dataloader.dataset.pipeline.2.scale'),
        ('backbone.depth', 'model.backbone.depth'),
    ],
)
def test_a_variable_of_a_config_is_no_setting(option, place):
    cfg = Config.fromfile(config_path('mask_rcnn_eca_r50_fpn_1x.py'))
    with pytest.raises(UserError, match=f'set {place}'):
        merge_options(cfg, {option: 3})


def test_no_network_and_another_network_are_one_line():
    with pytest.raises(UserError, match='init_cfg'), explained_mistakes():
        raise urllib.error.URLError('Name or service not known')
    with pytest.raises(UserError, match='another network'), explained_mistakes():
        raise ValueError("loaded state dict contains a parameter group that doesn't")
