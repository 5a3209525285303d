"""A config for somebody's data: written, loaded, checked, built, trained."""

import ast
import json
import os
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.visualization.palette import get_palette
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmdet_eca import UserError
from mmdet_eca.data import write_config
from mmdet_eca.data.detectors import detectors
from mmdet_eca.paper import paper_rows
from mmdet_eca.training.checks import check_config
from mmdet_eca.training.config import innermost_datasets, values_of
from tests.conftest import run
from tests.tools.in_process import call, log, mistake

# Short, long, with quotes, and what mmengine's configs fill in.
# How many heads count the classes.
NUMBERS = dict(mask_r=2, cascad=3)
NAMES = ("it's", '"zwei"', '三', 'vier vier', 'a{{ fileDirname }}', *'56789')


@pytest.fixture(scope='module')
def renamed(digits, tmp_path_factory):
    """Digits-COCO with other names, ids with gaps, and a folder with a quote."""
    folder = tmp_path_factory.mktemp('renamed') / "my 'data' é"
    shutil.copytree(digits, folder)
    for split in ('train', 'val'):
        path = folder / f'annotations/instances_{split}.json'
        content = json.loads(path.read_text())
        for i, category in enumerate(content['categories']):
            category.update(id=10 * i + 7, name=NAMES[i])
        for entry in content['annotations']:
            entry['category_id'] = 10 * entry['category_id'] - 3
        path.write_text(json.dumps(content))
    return folder


def arguments(folder, train='train', val='val'):
    """Those of the function, of a folder that is laid out as COCO's."""
    return dict(
        annotations=f'{folder}/annotations/instances_{train}.json',
        images=f'{folder}/{train}',
        val=(f'{folder}/annotations/instances_{val}.json', f'{folder}/{val}'),
    )


def words(folder, *more):
    """The same as words of the command."""
    given = arguments(folder)
    return [
        'new-config',
        given['annotations'],
        given['images'],
        '--val',
        *given['val'],
        *more,
    ]


def written(out, *args, **kwargs):
    write_config(*args, out=str(out), **kwargs)
    return Config.fromfile(out)


@pytest.mark.parametrize('detector', sorted(detectors()))
def test_every_detector(detector, renamed, tmp_path):
    """Ten classes wherever 80 were, and the checks before a run pass."""
    cfg = written(tmp_path / 'mine.py', **arguments(renamed), detector=detector, gpus=1)
    counts = list(values_of(cfg.model, 'num_classes'))
    assert set(counts) == {10} and len(counts) == NUMBERS.get(detector[:6], 1)
    with DefaultScope.overwrite_default_scope('mmdet'), torch.device('meta'):
        check_config(cfg, ('train', 'val', 'test'))
        model = MODELS.build(cfg.model)
    counts = [m.num_classes for m in model.modules() if hasattr(m, 'num_classes')]
    assert set(counts) - {1} == {10}  # 1: a proposal network's
    for loader in ('train', 'val', 'test'):
        (dataset,) = innermost_datasets(cfg[f'{loader}_dataloader'].dataset)
        assert dataset.metainfo.classes == NAMES
    assert cfg.train_dataloader.batch_size == 2
    assert cfg.auto_scale_lr == dict(enable=True, base_batch_size=2)


def test_table_5_is_among_the_detectors():
    assert {f'{row.name}.py' for row in paper_rows([5])} < set(detectors().values())


@pytest.mark.parametrize(
    ('detector', 'gpus', 'lr'),
    [  # lr of the base x images a step / its images a step
        ('mask_rcnn_eca_r50', 4, 0.01),  # 0.01 x 8 / 8
        ('mask_rcnn_eca_r50', 1, 0.0025),  # 0.01 x 2 / 8
        ('mask_rcnn_eca_r50', 0, 0.00125),  # 0.01 x 1 / 8: one image on the CPU
        ('retinanet_eca_r101', 8, 0.02),  # 0.01 x 16 / 8
        ('cascade_rcnn_eca_r50', 1, 0.0025),  # 0.02 x 2 / 16
        ('dino_eca_r50', 2, 0.000025),  # 0.0001 x 4 / 16
    ],
)
def test_learning_rate_follows_the_batch(detector, gpus, lr, coco, tmp_path):
    cfg = written(
        tmp_path / 'mine.py',
        **arguments(coco, 'train2017', 'val2017'),
        detector=detector,
        gpus=gpus,
    )
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(lr, rel=1e-9)
    assert cfg.auto_scale_lr == dict(enable=True, base_batch_size=max(1, 2 * gpus))
    # Four images: as many epochs in one as make 250 steps.
    steps = -(-4 // max(1, 2 * gpus))
    times = cfg.train_dataloader.dataset.times
    assert times * steps >= 250 > (times - 1) * steps


def test_paths_and_text_of_the_config(renamed, tmp_path, monkeypatch):
    """Relative paths stay so; the text says what the data are, and why."""
    monkeypatch.chdir(renamed.parent)
    text = write_config(**arguments(renamed.name), out=f'{tmp_path}/mine.py', gpus=2)
    cfg = Config.fromfile(tmp_path / 'mine.py')
    dataset = cfg.val_dataloader.dataset
    assert os.path.samefile(
        dataset.ann_file, renamed / 'annotations/instances_val.json'
    )
    assert dataset.data_prefix.img == f'{renamed.name}/val'
    assert cfg.val_evaluator.ann_file == cfg.test_evaluator.ann_file == dataset.ann_file
    content = (tmp_path / 'mine.py').read_text(encoding='utf-8')
    objects = len(
        json.loads((renamed / 'annotations/instances_train.json').read_text())[
            'annotations'
        ]
    )
    comment = ' '.join(line.lstrip('# ') for line in content.splitlines())
    assert f'8 images, {objects} objects of 10 classes, with masks' in comment
    assert 'For 2 GPUs' in comment and 'RetinaNet has 32' in comment
    assert 'detector: mask_rcnn_eca_r50, since the objects have masks' in text
    assert 'dist_train.sh' in text and text.endswith('mine.py 2')


def test_mmdetections_own_tools_read_it(digits, tmp_path):
    """In a process that has not imported this package."""
    path = tmp_path / 'mine.py'
    cfg = written(path, **arguments(digits))
    read = (
        f'from mmengine import Config; print(Config.fromfile({str(path)!r}).to_dict())'
    )
    printed = run(sys.executable, '-c', read).stdout
    assert ast.literal_eval(printed.splitlines()[-1]) == cfg.to_dict()
    assert 'mmdet_eca' in cfg.custom_imports['imports']


def test_trains_and_evaluates(renamed, tmp_path):
    """From the annotation file to an AP in two commands, on a narrow network."""
    config, work_dir = tmp_path / 'mine.py', tmp_path / 'work'
    call(*words(renamed, '--gpus', 0, '--out', config))
    narrow = {
        'model.backbone.base_channels': 8,
        'model.backbone.init_cfg': 'None',
        'model.neck.in_channels': '[32,64,128,256]',
        'model.neck.out_channels': 32,
        'model.rpn_head.in_channels': 32,
        'model.rpn_head.feat_channels': 32,
        'model.roi_head.bbox_roi_extractor.out_channels': 32,
        'model.roi_head.bbox_head.in_channels': 32,
        'model.roi_head.bbox_head.fc_out_channels': 32,
        'model.roi_head.mask_roi_extractor.out_channels': 32,
        'model.roi_head.mask_head.in_channels': 32,
        'model.roi_head.mask_head.conv_out_channels': 32,
        'model.test_cfg.rpn.max_per_img': 20,
        'train_dataloader.dataset.times': 1,
        'train_dataloader.dataset.dataset.indices': 2,
        'train_cfg.max_epochs': 1,
        'default_hooks.logger.interval': 1,
    }
    for loader in ('train', 'val', 'test'):
        narrow[f'{loader}_dataloader.num_workers'] = 0
        narrow[f'{loader}_dataloader.persistent_workers'] = False
    options = ['--cfg-options', *(f'{k}={v}' for k, v in narrow.items())]
    call('train', config, '--work-dir', work_dir, *options)
    output = log(work_dir)
    assert 'batch size of 1 and the current batch size is 1' in output
    assert 'coco/segm_mAP' in output and (work_dir / 'epoch_1.pth').exists()
    meta = torch.load(work_dir / 'epoch_1.pth', weights_only=False)['meta']
    assert meta['dataset_meta']['classes'] == NAMES


def test_length_scale_batch_and_depth_are_asked_for(digits, tmp_path):
    out = str(tmp_path / 'mine.py')
    sizes = dict(epochs=6, scale=160, batch_size=4, depth=18, from_scratch=True)
    write_config(**arguments(digits), out=out, gpus=0, **sizes)
    cfg = Config.fromfile(out)
    assert cfg.train_cfg.max_epochs == 6
    warm_up, steps = cfg.param_scheduler
    assert warm_up.end == 500
    assert (steps.milestones, steps.end) == ([4, 6], 6)  # 8 and 11 of 12
    (dataset,) = innermost_datasets(cfg.train_dataloader.dataset)
    assert [step.scale for step in dataset.pipeline if 'scale' in step] == [(267, 160)]
    assert cfg.train_dataloader.batch_size == 4
    assert cfg.optim_wrapper.optimizer.lr == 0.01 * 4 / 8
    backbone = cfg.model.backbone
    assert (backbone.depth, backbone.init_cfg, backbone.norm_eval) == (18, None, False)
    with torch.device('meta'), DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    maps = [layer.conv.in_channels for layer in model.neck.lateral_convs]
    assert maps == [64, 128, 256, 512]


def test_few_classes_have_colours_that_differ_and_an_ap_each(digits, tmp_path):
    out = str(tmp_path / 'mine.py')
    write_config(**arguments(digits), out=out)
    cfg = Config.fromfile(out)
    colours = np.array(cfg.val_dataloader.dataset.metainfo.palette)
    assert colours.shape == (10, 3) and (colours >= 0).all() and (colours < 256).all()
    distances = abs(colours[:, None] - colours).sum(2) + 999 * np.eye(10)
    assert distances.min() > 60
    assert cfg.val_evaluator.classwise


def test_a_depth_has_the_weights_of_that_depth(digits, tmp_path):
    out = str(tmp_path / 'mine.py')
    write_config(**arguments(digits), out=out, depth=34)
    backbone = Config.fromfile(out).model.backbone
    assert backbone.init_cfg.checkpoint.endswith('/resnet34-b627a593.pth')
    assert (backbone.kernel_size, backbone.frozen_stages) == (None, 0)


@pytest.mark.parametrize(
    ('option', 'named'),
    [
        (dict(epochs=0), '--epochs'),
        (dict(batch_size=-1), '--batch-size'),
        (dict(scale=0), '--scale'),
        (dict(depth=19), 'depth 19'),
        (dict(depth=18, detector='mask_rcnn_eca_r50_fpn_finetune_coco'), 'depth 18'),
        (dict(from_scratch=True, load_from='a.pth'), '--from-scratch'),
    ],
)
def test_what_cannot_be_asked_for(option, named, digits, tmp_path):
    with pytest.raises(UserError, match=named):
        write_config(**arguments(digits), out=str(tmp_path / 'mine.py'), **option)
    assert not os.listdir(tmp_path)


def test_without_validation_a_tenth_is_set_aside(digits, tmp_path):
    """The same at each call: no image in both, and no object lost."""
    given = arguments(digits)
    parts = []
    for folder in ('a', 'b'):
        (tmp_path / folder).mkdir()
        cfg = written(
            tmp_path / folder / 'mine.py', given['annotations'], given['images']
        )
        (train,) = innermost_datasets(cfg.train_dataloader.dataset)
        paths = train.ann_file, cfg.val_dataloader.dataset.ann_file
        assert cfg.val_evaluator.ann_file == paths[1]
        parts.append([json.loads(Path(path).read_text()) for path in paths])
        check_config(cfg, ('train', 'val'))
    assert parts[0] == parts[1]
    train, val = parts[0]
    whole = json.loads(Path(given['annotations']).read_text())
    assert (len(train['images']), len(val['images'])) == (7, 1)
    for part in (train, val):
        ids = {image['id'] for image in part['images']}
        assert {entry['image_id'] for entry in part['annotations']} == ids
        assert part['categories'] == whole['categories']
    for key in ('images', 'annotations'):
        assert sorted(train[key] + val[key], key=lambda e: e['id']) == whole[key]


@pytest.mark.parametrize('exists', ['mine.py', 'mine_train.json', 'mine_val.json'])
def test_nothing_is_replaced(digits, tmp_path, exists):
    (tmp_path / exists).write_text('x')
    given = arguments(digits)
    with pytest.raises(UserError, match=f'{exists} exists'):
        write_config(given['annotations'], given['images'], f'{tmp_path}/mine.py')
    assert os.listdir(tmp_path) == [exists]


def test_a_full_disk(digits, tmp_path, monkeypatch):
    """While the second of three files is written."""
    given = arguments(digits)

    def write(path, **lists):
        open(path, 'w').close()
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('mmdet_eca.data.new_config.write_lists', write)
    with pytest.raises(UserError, match=r'mine.py cannot be written: .* No space left'):
        write_config(given['annotations'], given['images'], f'{tmp_path}/mine.py')
    assert os.listdir(tmp_path) == []


def test_weights_to_start_from(digits, tmp_path, monkeypatch):
    """torchvision's, unless the user has the authors' or names a checkpoint."""
    monkeypatch.chdir(tmp_path)

    def backbone(name, **more):
        cfg = written(f'{name}.py', **arguments(digits), **more)
        return cfg.model.backbone, cfg.load_from

    address = 'https://download.pytorch.org/models/resnet'
    plain = dict(type='Pretrained', checkpoint=f'{address}50-0676ba61.pth')
    found, load_from = backbone('plain')
    assert (found.init_cfg, found.frozen_stages, load_from) == (plain, 0, None)
    found, _ = backbone('deep', detector='retinanet_eca_r101')
    assert found.init_cfg.checkpoint == f'{address}101-63fe2227.pth'
    os.mkdir('pretrained')
    open('pretrained/eca_resnet50_k3557.pth.tar', 'w').close()
    found, _ = backbone('authors')
    assert found.init_cfg.checkpoint == 'pretrained/eca_resnet50_k3557.pth.tar'
    assert found.frozen_stages == 1
    found, load_from = backbone('given', load_from='https://host/detector.pth')
    assert (found.init_cfg, load_from) == (None, 'https://host/detector.pth')
    with pytest.raises(UserError, match='checkpoint none.pth does not exist'):
        backbone('none', load_from='none.pth')


def change(folder, split, edit):
    path = folder / f'annotations/instances_{split}.json'
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def drop_masks(content):
    for entry in content['annotations']:
        del entry['segmentation']


def test_boxes_only(digits, tmp_path):
    folder = shutil.copytree(digits, tmp_path / 'data')
    for split in ('train', 'val'):
        change(folder, split, drop_masks)
    line = mistake(
        *words(folder, '--detector', 'mask_rcnn_se_r50', '--out', tmp_path / 'mine.py')
    )
    assert 'mask_rcnn_se_r50 needs masks' in line
    assert line.endswith('take --detector faster_rcnn_eca_r50')
    assert os.listdir(tmp_path) == ['data']
    assert written(tmp_path / 'mine.py', **arguments(folder)).model.type == 'FasterRCNN'


@pytest.mark.parametrize(
    ('edit', 'message'),
    [
        (lambda folder: [], '--out must end in .py'),
        (lambda folder: ['--out', 'none/mine.py'], 'folder none of none/mine.py'),
        (lambda folder: ['--gpus', '-1'], '--gpus must be 0 or more'),
        (lambda folder: ['--detector', 'yolo'], 'atss_eca_r50, cascade_rcnn_eca_r50, '),
        (
            lambda folder: (folder / 'annotations/instances_train.json').write_text(
                'x'
            ),
            'instances_train.json is not a COCO annotation file',
        ),
        (
            lambda folder: os.truncate(folder / 'annotations/instances_val.json', 999),
            'instances_val.json is not a COCO annotation file, or it is cut off',
        ),
        (
            lambda folder: os.remove(folder / 'annotations/instances_train.json'),
            'instances_train.json does not exist',
        ),
        (
            lambda folder: os.remove(folder / 'val/000002.jpg'),
            '1 of 4 images is not in the folder (000002.jpg)',
        ),
        (lambda folder: shutil.rmtree(folder / 'train'), 'train does not exist'),
        (
            lambda folder: change(folder, 'train', lambda c: c.update(images=[])),
            'has no images',
        ),
        (
            lambda folder: change(
                folder, 'val', lambda c: c['categories'][9].update(name='nine')
            ),
            '(without 9 and with nine)',
        ),
        (
            lambda folder: change(
                folder, 'train', lambda c: c['categories'][3].update(name='4')
            ),
            '1 of 10 categories has the name of another (4)',
        ),
        (lambda folder: change(folder, 'val', drop_masks), 'needs masks'),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(digits, tmp_path, edit, message):
    folder = shutil.copytree(digits, tmp_path / 'data')
    more = edit(folder)
    out = ['--out', tmp_path / ('mine' if more == [] else 'mine.py')]
    line = mistake(*words(folder, *out, *(more if isinstance(more, list) else [])))
    assert line.startswith('mmdet-eca new-config: error: ') and message in line
    assert os.listdir(tmp_path) == ['data']


def test_many_classes_and_tiny_images(tmp_path):
    """More classes than COCO has colours, and images that mmdet would leave out."""
    (tmp_path / 'images').mkdir()
    for i in range(3):
        cv2.imwrite(f'{tmp_path}/images/{i}.png', np.full((20, 28, 3), 9, np.uint8))
    content = dict(
        images=[
            dict(id=i, file_name=f'{i}.png', width=28, height=20) for i in range(3)
        ],
        annotations=[
            dict(
                id=i + 1,
                image_id=i,
                category_id=i,
                bbox=[1, 2, 9, 9],
                area=81,
                iscrowd=0,
            )
            for i in range(3)
        ],
        categories=[dict(id=i, name=f'class {i}') for i in range(200)],
    )
    (tmp_path / 'data.json').write_text(json.dumps(content))
    paths = f'{tmp_path}/data.json', f'{tmp_path}/images'
    cfg = written(tmp_path / 'mine.py', *paths, val=paths)
    assert len(get_palette(cfg.val_dataloader.dataset.metainfo.palette, 200)) == 200
    (dataset,) = innermost_datasets(cfg.train_dataloader.dataset)
    assert dataset.filter_cfg == dict(filter_empty_gt=True, min_size=1)
