"""An evaluator that does not measure what the loader shows stops a run before it."""

import copy
import json
import shutil

import pytest
from mmengine.config import Config

from mmdet_eca import UserError, config_path
from mmdet_eca.training.checks import check_config

TRAIN = ('train', 'val')


@pytest.fixture
def cfg(digits, tmp_path):
    """The digits' Mask R-CNN on a copy of a small data set."""
    folder = shutil.copytree(digits, tmp_path / 'digits')
    cfg = Config.fromfile(config_path('digits/mask_rcnn_eca_r50_digits.py'))
    cfg.model.backbone.init_cfg = None
    for loader in TRAIN:
        dataset = cfg[f'{loader}_dataloader'].dataset
        dataset = dataset.get('dataset', dataset)
        dataset.update(
            data_root='',
            ann_file=f'{folder}/annotations/instances_{loader}.json',
            data_prefix=dict(img=f'{folder}/{loader}/'),
        )
    cfg.val_evaluator.ann_file = cfg.val_dataloader.dataset.ann_file
    check_config(cfg, TRAIN)
    return cfg


def edit(path, change, out=None):
    with open(path) as file:
        content = json.load(file)
    change(content)
    with open(out or path, 'w') as file:
        json.dump(content, file)


def error_of(cfg):
    with pytest.raises(UserError) as error:
        check_config(cfg, TRAIN)
    return str(error.value)


@pytest.mark.parametrize('is_concatenated', [False, True])
def test_the_evaluators_file_is_another_one(cfg, tmp_path, is_concatenated):
    dataset = cfg.val_dataloader.dataset
    path = dataset.ann_file
    if is_concatenated:
        cfg.val_dataloader.dataset = dict(type='ConcatDataset', datasets=[dataset])
    other = str(tmp_path / 'other.json')
    cfg.val_evaluator.ann_file = other

    def move_boxes(content):
        for one in content['annotations']:
            one['bbox'][0] += 500

    edit(path, move_boxes, other)  # the same ids: an AP of 0 without a word
    message = error_of(cfg)
    assert other in message and 'bbox_mAP 0' in message
    edit(path, lambda content: content['images'].pop(), other)
    message = error_of(cfg)
    assert other in message and 'val_dataloader shows 4 of' in message


def test_a_part_of_the_images_has_no_ap_of_its_own(cfg):
    """CocoMetric counts the objects of all images of its file as missed."""
    cfg.val_dataloader.dataset.indices = 2
    assert 'val_dataloader.dataset.indices=2' in error_of(cfg)


def test_ids_of_objects_that_only_one_metric_digests(cfg):
    def use_text(content):
        for one in content['annotations']:
            one['id'] = f'0000-{one["id"]}'

    edit(cfg.val_dataloader.dataset.ann_file, use_text)
    assert 'ValueError' in error_of(cfg) and '0000-' in error_of(cfg)
    pytest.importorskip('faster_coco_eval')
    cfg.val_evaluator.type = 'FastCocoMetric'
    check_config(cfg, TRAIN)


def test_masks_that_the_metric_or_the_training_needs(cfg):
    def drop_masks(content):
        for one in content['annotations']:
            del one['segmentation']

    before = copy.deepcopy(cfg)
    edit(cfg.val_dataloader.dataset.ann_file, drop_masks)
    assert 'segm' in error_of(cfg)
    before.train_dataloader = before.val_dataloader
    before.train_dataloader.dataset.pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    ]
    with pytest.raises(UserError, match='no segmentation'):
        check_config(before, ('train',))


def test_other_evaluators_are_left_alone(cfg):
    cfg.val_evaluator = dict(type='DumpDetResults', out_file_path='x.pkl')
    check_config(cfg, TRAIN)
