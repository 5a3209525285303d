import json
import os
import shutil

import pytest
from mmengine.config import Config

from mmdet_eca import UserError, config_path
from mmdet_eca.engine.checks import check_config

TRAIN = ('train', 'val')


@pytest.fixture
def cfg(digits):
    """The digits config on a small data set; nothing is wrong with it."""
    cfg = Config.fromfile(config_path('digits/mask_rcnn_eca_r50_digits.py'))
    use(cfg, digits)
    check_config(cfg, TRAIN + ('test', ))
    return cfg


def use(cfg, folder):
    for loader in ('train', 'val', 'test'):
        cfg[f'{loader}_dataloader'].dataset.data_root = folder
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.ann_file = f'{folder}/annotations/instances_val.json'


def refusal(cfg, loaders=TRAIN):
    with pytest.raises(UserError) as error:
        check_config(cfg, loaders)
    return str(error.value)


def test_checks_change_nothing(cfg):
    cfg.model.backbone.update(
        dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True))
    before = cfg.pretty_text
    check_config(cfg, TRAIN)
    assert cfg.pretty_text == before


def test_missing_data_folder(cfg):
    use(cfg, 'nowhere/coco/')
    message = refusal(cfg)
    assert message.startswith(
        'nowhere/coco/annotations/instances_train.json does not exist')
    assert 'tools/make_digits.py' in message and 'COCO 2017' in message


def test_missing_image_folder(cfg, digits, tmp_path):
    folder = shutil.copytree(digits, tmp_path / 'digits')
    shutil.rmtree(folder / 'val')
    use(cfg, str(folder))
    assert refusal(cfg).startswith(f'{folder}/val/ does not exist')
    check_config(cfg, ('train', ))  # which does not need it


def test_annotation_file_of_another_kind(cfg, digits, tmp_path):
    folder = shutil.copytree(digits, tmp_path / 'digits')
    use(cfg, str(folder))
    for text in ('', '[]', '{"categories": 3}', '{"categories": [1'):
        (folder / 'annotations/instances_train.json').write_text(text)
        assert 'is not a COCO annotation file' in refusal(cfg)


def test_fewer_classes_in_the_heads(cfg):
    cfg.model.roi_head.mask_head.num_classes = 80
    message = refusal(cfg)
    assert message.startswith('num_classes=80 in a head')
    assert message.endswith('set num_classes=10')


def test_other_classes_than_in_the_annotation_file(cfg):
    for loader in ('train', 'val'):
        del cfg[f'{loader}_dataloader'].dataset['metainfo']
    message = refusal(cfg)
    assert 'has 10 classes (0, 1, 2, 3, 4, ...)' in message
    assert 'the config 80 (person, bicycle, car, motorcycle, airplane, ...)' in (
        message)
    assert 'num_classes=10' in message


def test_a_subset_of_the_classes_may_be_chosen(cfg):
    for loader in ('train', 'val'):
        cfg[f'{loader}_dataloader'].dataset.metainfo.classes = ('1', '7')
    cfg.model.roi_head.bbox_head.num_classes = 2
    cfg.model.roi_head.mask_head.num_classes = 2
    check_config(cfg, TRAIN)


def test_categories_are_found_wherever_they_stand(cfg, digits, tmp_path):
    folder = shutil.copytree(digits, tmp_path / 'digits')
    use(cfg, str(folder))
    path = folder / 'annotations/instances_train.json'
    content = json.loads(path.read_text())
    for category in content['categories']:
        category['keypoints'] = ['nose', 'eye']  # a list in the list
    path.write_text(
        json.dumps(dict(categories=content.pop('categories'), **content)))
    check_config(cfg, TRAIN)


def test_wrapped_data_sets_are_checked_too(cfg):
    inner = cfg.train_dataloader.dataset
    inner.ann_file = 'annotations/none.json'
    cfg.train_dataloader.dataset = dict(
        type='RepeatDataset', times=2,
        dataset=dict(type='ConcatDataset', datasets=[inner]))
    assert 'none.json does not exist' in refusal(cfg)


def test_missing_pretrained_weights():
    cfg = Config.fromfile(config_path('retinanet_eca_r101_fpn_1x.py'))
    message = refusal(cfg)
    assert message.startswith('pretrained weights pretrained/'
                              'eca_resnet101_k3357.pth.tar does not exist')
    assert 'https://github.com/BangguWu/ECANet' in message
    assert 'model.backbone.init_cfg=None' in message
    # An evaluation does not need them, but the data.
    assert 'instances_val2017.json' in refusal(cfg, ('test', ))


def test_missing_checkpoint(cfg):
    cfg.load_from = 'work_dirs/none.pth'
    assert refusal(cfg).startswith(
        'checkpoint work_dirs/none.pth does not exist')


def test_missing_annotations_of_the_evaluation(cfg):
    cfg.val_evaluator.ann_file = 'none.json'
    assert refusal(cfg) == ('annotation file none.json does not exist: set '
                            'val_evaluator.ann_file')
    check_config(cfg, ('train', ))


@pytest.mark.parametrize(('setting', 'message'), [
    (dict(kernel_size=4), 'kernel_size must be a positive odd'),
    (dict(depth=49), 'depth must be one of'),
])
def test_arguments_of_the_backbone(cfg, setting, message):
    cfg.model.backbone.update(setting)
    assert message in refusal(cfg)
    assert not os.path.exists('work_dirs/mask_rcnn_eca_r50_digits')
