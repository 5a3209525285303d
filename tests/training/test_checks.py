import copy
import json
import os
import os.path as osp
import re
import shutil
import sys

import mmdet
import pytest
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.model import PretrainedInit

from mmdet_eca import UserError, config_path
from mmdet_eca.data import before_run, check_data
from mmdet_eca.training.checks import check_config
from mmdet_eca.training.runner import build_runner

TRAIN = ('train', 'val')


@pytest.fixture(scope='module')
def correct_cfg(digits):
    """The digits config on a small data set; nothing is wrong with it."""
    cfg = Config.fromfile(config_path('digits/mask_rcnn_eca_r50_digits.py'))
    use(cfg, digits)
    check_config(cfg, (*TRAIN, 'test'))
    return cfg


@pytest.fixture
def cfg(correct_cfg):
    return copy.deepcopy(correct_cfg)


def use(cfg, folder):
    for loader in ('train', 'val', 'test'):
        cfg[f'{loader}_dataloader'].dataset.data_root = folder
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.ann_file = f'{folder}/annotations/instances_val.json'


def error_of(cfg, loaders=TRAIN):
    with pytest.raises(UserError) as error:
        check_config(cfg, loaders)
    return str(error.value)


@pytest.mark.parametrize('loader', ['val', 'test'])
def test_images_of_unknown_scale_are_refused(cfg, loader):
    """A detector would end with KeyError: 'scale_factor' after an epoch."""
    dataset = cfg[f'{loader}_dataloader'].dataset
    pipeline = [step for step in dataset.pipeline if step.type != 'Resize']
    dataset.pipeline = pipeline
    message = error_of(cfg, ('train', loader))
    assert f'{loader}_dataloader.dataset.pipeline has no Resize' in message
    dataset.pipeline = [dict(type='mmdet.Resize', scale=(240, 160)), *pipeline]
    check_config(cfg, ('train', loader))


def test_checks_change_nothing(cfg):
    cfg.model.backbone.update(
        dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True),
    )
    before = cfg.pretty_text
    check_config(cfg, TRAIN)
    assert cfg.pretty_text == before


def test_missing_data_folder(cfg):
    use(cfg, 'nowhere/coco/')
    message = error_of(cfg)
    assert 'nowhere/coco/annotations/instances_train.json' in message
    assert 'tools/make_digits.py' in message and 'COCO 2017' in message


def test_fewer_classes_in_the_heads(cfg):
    cfg.model.roi_head.mask_head.num_classes = 80
    message = error_of(cfg)
    for part in ('num_classes=80', 'roi_head.mask_head', 'num_classes=10'):
        assert part in message


def test_the_check_can_be_turned_off(cfg, digits, tmp_path):
    cfg.model.roi_head.mask_head.num_classes = 80
    cfg.work_dir, cfg.launcher = str(tmp_path / 'work'), 'none'
    with pytest.raises(UserError, match='num_classes=80'):
        build_runner(cfg, TRAIN)
    assert not list(tmp_path.iterdir())
    cfg.merge_from_dict({'check_config': False})  # as --cfg-options does
    assert build_runner(cfg, TRAIN).model.roi_head.mask_head.num_classes == 80


@pytest.mark.parametrize('data', ['coco_panoptic', 'cityscapes_instance'])
def test_heads_of_panoptic_segmentation(data, tmp_path):
    """80 things and 53 stuff classes of COCO; Cityscapes has eight."""
    path = osp.join(osp.dirname(mmdet.__file__), '.mim/configs')
    cfg = Config.fromfile(f'{path}/panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py')
    dataset = Config.fromfile(
        f'{path}/_base_/datasets/{data}.py'
    ).train_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    classes = DATASETS.get(dataset.type).METAINFO['classes']
    (tmp_path / 'train.json').write_text(
        json.dumps(dict(categories=[dict(name=name) for name in classes]))
    )
    dataset.data_prefix = {}
    dataset.update(data_root=f'{tmp_path}/', ann_file='train.json')
    cfg.model.backbone.init_cfg = None
    cfg = Config(dict(model=cfg.model, train_dataloader=dict(dataset=dataset)))
    if data == 'coco_panoptic':
        check_config(cfg, ('train',))
        cfg.model.roi_head.bbox_head.num_classes = 81
    assert re.match(
        'num_classes=(81 in roi_head.bbox_head|133 in PanopticFPN)',
        error_of(cfg, ('train',)),
    )


def test_other_classes_than_in_the_annotation_file(cfg):
    for loader in ('train', 'val'):
        del cfg[f'{loader}_dataloader'].dataset['metainfo']
    message = error_of(cfg)
    parts = ('10 classes (0, 1, 2,', '80 classes (person, bicycle,', 'num_classes=10')
    assert all(part in message for part in parts)


def test_a_subset_of_the_classes_may_be_chosen(cfg):
    for loader in ('train', 'val'):
        cfg[f'{loader}_dataloader'].dataset.metainfo.classes = ('1', '7')
    cfg.model.roi_head.bbox_head.num_classes = 2
    cfg.model.roi_head.mask_head.num_classes = 2
    check_config(cfg, TRAIN)


def test_classes_in_another_order_than_in_the_file(cfg):
    """With which MMDetection's own CocoDataset gives the wrong names."""
    dataset = cfg.train_dataloader.dataset
    dataset.metainfo.classes = ('7', '1')
    built = CocoDataset(
        ann_file=f'{dataset.data_root}/{dataset.ann_file}',
        metainfo=dict(classes=('7', '1')),
        data_prefix=dict(img=''),
        lazy_init=True,
    )
    built.load_data_list()
    assert built.cat2label == {2: 0, 8: 1}  # the file has the id 2 for '1'
    cfg.model.roi_head.bbox_head.num_classes = 2
    cfg.model.roi_head.mask_head.num_classes = 2
    assert 'metainfo.classes (7, 1)' in error_of(cfg)


def test_wrapped_data_sets_are_checked_too(cfg):
    inner = cfg.train_dataloader.dataset
    inner.ann_file = 'annotations/none.json'
    cfg.train_dataloader.dataset = dict(
        type='RepeatDataset',
        times=2,
        dataset=dict(type='ConcatDataset', datasets=[inner]),
    )
    assert 'none.json does not exist' in error_of(cfg)


def test_missing_pretrained_weights():
    cfg = Config.fromfile(config_path('retinanet_eca_r101_fpn_1x.py'))
    message = error_of(cfg)
    for part in (
        'pretrained/eca_resnet101_k3357.pth.tar',
        'https://github.com/BangguWu/ECANet',
        'model.backbone.init_cfg=None',
    ):
        assert part in message
    # An evaluation does not need them, but the data.
    assert 'instances_val2017.json' in error_of(cfg, ('test',))


def test_missing_checkpoint(cfg):
    cfg.load_from = 'work_dirs/none.pth'
    assert 'work_dirs/none.pth' in error_of(cfg)


@pytest.mark.parametrize(
    ('checkpoint', 'part'),
    [
        ('none.pth', 'none.pth does not exist'),
        ('ecanet://none.pth.tar', 'none.pth.tar does not exist'),
        ('torchvision://resnet50', 'pip install torchvision'),
        ('mmpretrain://ftp://none.pth', 'neither a file, nor a URL'),
        ('timm://ecaresnet50d.miil_in1k', 'mmdet_eca[timm]'),
        ('https://host/model.safetensors', 'mmdet_eca[timm]'),
    ],
)
def test_weights_that_cannot_be_had(cfg, checkpoint, part, monkeypatch):
    """Wherever the config names them."""
    for package in ('huggingface_hub', 'safetensors.torch', 'torchvision'):
        monkeypatch.setitem(sys.modules, package, None)
    pretrained = dict(type='Pretrained', checkpoint=checkpoint)
    for init_cfg in (
        pretrained,
        [dict(type='Kaiming', layer='Conv2d'), pretrained],
        dict(pretrained, prefix='backbone.'),
        dict(pretrained, type=PretrainedInit),
    ):
        for module in (cfg.model.backbone, cfg.model.neck, cfg.model):
            module.init_cfg = init_cfg
            assert part in error_of(cfg)
            module.init_cfg = None
    cfg.model.backbone.pretrained = checkpoint
    assert part in error_of(cfg)
    cfg.model.backbone.pretrained = None
    cfg.load_from = checkpoint
    assert part in error_of(cfg)


@pytest.mark.parametrize(
    'checkpoint',
    [
        'open-mmlab://detectron2/resnet50_caffe',
        'https://host/a.pth',
        'mmpretrain://https://host/a.pth',
        's3://bucket/a.pth',
        'timm://ecaresnet50d.miil_in1k',
    ],
)
def test_weights_that_are_downloaded_pass(cfg, checkpoint):
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=checkpoint)
    cfg.load_from = checkpoint
    check_config(cfg, TRAIN)


def test_resume_is_no_path(cfg):
    cfg.resume = 'work_dirs/epoch_1.pth'
    assert "resume='work_dirs/epoch_1.pth'" in error_of(cfg)


def test_missing_annotations_of_the_evaluation(cfg):
    cfg.val_evaluator.ann_file = 'none.json'
    assert re.search(r'none\.json .*val_evaluator\.ann_file', error_of(cfg))
    check_config(cfg, ('train',))


@pytest.fixture
def editable(cfg, digits, tmp_path):
    """A copy of the data that ``cfg`` uses, and what edits an annotation file of it."""
    folder = shutil.copytree(digits, tmp_path / 'digits')
    use(cfg, str(folder))

    def edit(change, split='train'):
        path = folder / f'annotations/instances_{split}.json'
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        return str(path), f'{folder}/{split}/'

    return folder, edit


@pytest.mark.parametrize('largest', [before_run.WHOLE, 0])
def test_bad_data_stop_a_run_with_the_words_of_check_coco(
    cfg, editable, largest, monkeypatch
):
    """A small file is read whole, of a large one the beginning."""
    monkeypatch.setattr(before_run, 'WHOLE', largest)
    _, edit = editable
    check_config(cfg, TRAIN)
    words = edit(lambda c: c['annotations'][3].update(category_id=99))
    message = error_of(cfg)
    assert message.endswith(f'To see all: mmdet-eca check-coco {" ".join(words)}')
    report = check_data(*words)
    (found,) = report.sets[0].findings.of_severity('error')
    assert str(found) in message and 'that no category has' in str(found)
    cfg.check_config = False
    check_config(cfg, TRAIN)


def test_images_that_are_missing_or_cut_off_stop_a_run(cfg, editable):
    folder, _ = editable
    name = sorted(os.listdir(folder / 'val'))[2]
    os.truncate(folder / 'val' / name, 2000)
    assert f'1 of 4 images ends too early ({name}: ' in error_of(cfg)
    os.remove(folder / 'val' / name)
    assert f'1 of 4 images is not in the folder ({name})' in error_of(cfg)
    check_config(cfg, ('train',))


@pytest.mark.parametrize('largest', [before_run.WHOLE, 0])
def test_only_training_needs_objects(cfg, editable, largest, monkeypatch):
    monkeypatch.setattr(before_run, 'WHOLE', largest)
    _, edit = editable
    edit(lambda c: c.pop('annotations'), 'val')
    check_config(cfg, TRAIN)
    edit(lambda c: c.pop('annotations'))
    assert 'has no annotations' in error_of(cfg)


def test_other_formats_are_left_alone(cfg, editable):
    """LVIS's images have no file names."""
    _, edit = editable
    edit(lambda c: [image.pop('file_name') for image in c['images']])
    assert 'lack something' in error_of(cfg) or 'has no' in error_of(cfg)

    class Other(CocoDataset):
        def parse_data_info(self, raw_data_info):
            return dict(raw_data_info)

    cfg.train_dataloader.dataset.type = Other
    check_config(cfg, ('train',))
