"""A trained plain detector gets attention: the configs, and the way on the digits."""

import json
import os.path as osp
import pickle

import mmdet
import mmengine
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from mmengine.runner import load_checkpoint

from mmdet_eca import config_path
from tests.tools.in_process import call
from tests.tools.test_train import digits_options
from tests.weights.layouts import fill
from tests.weights.server import named_by_hash, serve
from tests.weights.small_detectors import with_numbers

COCO = 'mask_rcnn_eca_r50_fpn_finetune_coco.py'
MMDETS = osp.join(osp.dirname(mmdet.__file__), '.mim', 'configs', 'mask_rcnn')


def load(name):
    return Config.fromfile(config_path(name))


def build(cfg):
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg)
    model.eval()  # which returns nothing in mmdet's backbones
    return model


def losses(model, optimizer, steps=4):
    """Of training steps on one batch, with one sequence of random numbers."""
    torch.manual_seed(1)
    np.random.seed(1)
    data = demo_mm_inputs(2, (3, 96, 128), [3, 4], num_classes=10)
    with DefaultScope.overwrite_default_scope('mmdet'):
        for _ in range(steps):
            batch = model.data_preprocessor(data, True)
            batch['inputs'] = batch['inputs'].double()
            loss, _ = model.parse_losses(model(**batch, mode='loss'))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield float(loss.detach())


def test_with_its_weights_held_it_trains_as_the_plain_detector_does(tmp_path):
    """A gate of one half, on norms twice as large, whose gradients are halved.

    In float64, since rounding grows from step to step.
    """
    torch.manual_seed(0)
    plain = build(load('digits/retinanet_r50_digits.py').model).train().double()
    plain.init_weights()
    for name, value in plain.backbone.named_parameters():
        if name.endswith('bn3.weight'):
            torch.nn.init.constant_(value, 0.5)  # they start at zero
    torch.save(plain.state_dict(), tmp_path / 'plain.pth')
    eca = build(load('digits/retinanet_eca_r50_digits.py').model).train().double()
    load_checkpoint(eca, str(tmp_path / 'plain.pth'))
    trained = {n: p for n, p in eca.named_parameters() if '.eca.' not in n}
    groups = [
        dict(params=[p], lr=4e-2 if '.bn3.' in n else 1e-2) for n, p in trained.items()
    ]
    expected = list(losses(plain, torch.optim.SGD(plain.parameters(), lr=1e-2)))
    assert list(losses(eca, torch.optim.SGD(groups))) == pytest.approx(expected, 1e-9)
    assert abs(expected[0] - expected[-1]) > 0.01 * expected[0]


def learning_rates(cfg):
    """Of each epoch, after the warm-up."""
    optimizer = torch.optim.SGD([torch.zeros(1)], cfg.optim_wrapper.optimizer.lr)
    scheduler = PARAM_SCHEDULERS.build(
        dict(cfg.param_scheduler[1]), default_args=dict(optimizer=optimizer)
    )
    for _ in range(cfg.train_cfg.max_epochs):
        yield optimizer.param_groups[0]['lr']
        optimizer.step()
        scheduler.step()


def test_on_coco_it_is_the_last_four_epochs_once_more():
    cfg, whole = load(COCO), load('mask_rcnn_eca_r50_fpn_1x.py')
    last = list(learning_rates(whole))[-4:]
    assert list(learning_rates(cfg)) == pytest.approx(last)
    changed = {k for k in cfg if k[0] != '_' and cfg.get(k) != whole.get(k)}
    assert changed == {
        *('load_from', 'model', 'optim_wrapper', 'param_scheduler', 'train_cfg')
    }
    whole.model.backbone.update(frozen_stages=0, init_cfg=None)
    assert cfg.model == whole.model


def test_on_coco_the_new_weights_alone_take_the_whole_rate():
    cfg = load(COCO)
    backbone = build(cfg.model.backbone)
    wrapper = build_optim_wrapper(backbone, cfg.optim_wrapper)
    rates = {id(g['params'][0]): g['lr'] for g in wrapper.optimizer.param_groups}
    trained = {n: p for n, p in backbone.named_parameters() if p.requires_grad}
    assert {n: rates[id(p)] for n, p in trained.items()} == {
        n: pytest.approx(0.01 if '.eca.' in n else 0.001) for n in trained
    }
    assert sum('.eca.' in name for name in trained) == 16  # none is frozen


def test_on_coco_it_starts_as_mmdets_own_detector(tmp_path, monkeypatch):
    """Whose checkpoint is the one in mmdet's model zoo; here another address."""
    cfg = load(COCO)
    models = mmengine.load(f'{MMDETS}/metafile.yml')['Models']
    (listed,) = (m for m in models if m['Name'] == 'mask-rcnn_r50_fpn_1x_coco')
    assert cfg.load_from == listed['Weights']

    plain = build(Config.fromfile(f'{MMDETS}/mask-rcnn_r50_fpn_1x_coco.py').model)
    shapes = {name: value.shape for name, value in plain.state_dict().items()}
    weights = {name: torch.rand(()).expand(shape) for name, shape in shapes.items()}
    seen = {n: s for n, s in shapes.items() if n.startswith(('backbone', 'neck'))}
    weights.update(fill(seen))  # of the others one number each
    path = tmp_path / osp.basename(cfg.load_from).replace('-d4b0c5d6', '')
    torch.save(dict(meta={}, state_dict=weights), path)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    with serve(tmp_path) as server:
        address = f'{server.address}/{named_by_hash(path).name}'
        cfg.model.backbone.folded = False
        own = build(cfg.model)
        for model in (plain, own):
            load_checkpoint(model, address, map_location='cpu', strict=True)
    for name, value in own.state_dict().items():
        if '.eca.' in name:
            assert not value.any()
        else:
            doubled = name.endswith(('bn3.weight', 'bn3.bias'))
            assert torch.equal(value, weights[name] * (2 if doubled else 1)), name
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert all(map(torch.equal, own.extract_feat(x), plain.extract_feat(x)))


def test_on_the_digits_two_detectors_differ_in_their_attention_alone():
    plain, eca = (
        load(f'digits/mask_rcnn_{name}r50_finetune_digits.py') for name in ('', 'eca_')
    )
    assert (plain.model.backbone.type, eca.model.backbone.type) == (
        *('ResNet', 'ECAResNet'),
    )
    eca.model.backbone.type = 'ResNet'
    assert eca.to_dict() == plain.to_dict()
    assert plain.load_from == 'work_dirs/mask_rcnn_r50_digits/epoch_4.pth'


@pytest.mark.parametrize(
    ('name', 'with_eca'),
    [('resnet50', 'eca_resnet50'), ('mask_rcnn_r50', 'mask_rcnn_eca_r50')],
)
def test_on_the_digits_the_plain_one_is_ours_without_attention(name, with_eca):
    plain, ours = (load(f'digits/{n}_digits.py') for n in (name, with_eca))
    names = {n for n in build(ours.model.backbone).state_dict() if '.eca.' not in n}
    assert names == set(build(plain.model.backbone).state_dict())
    assert plain.model.backbone.norm_eval == ours.model.backbone.norm_eval
    ours.model.backbone = plain.model.backbone
    ours.pop('backbone', None), plain.pop('backbone', None)
    assert ours.to_dict() == plain.to_dict()


def evaluate(name, checkpoint, work_dir, digits, **more):
    """COCO's table of a digits detector, and its predictions."""
    out = work_dir / 'predictions.pkl'
    call(
        *('test', f'configs/digits/{name}_digits.py', checkpoint),
        *('--work-dir', work_dir, '--out', out),
        *digits_options(digits, **more),
    )
    (path,) = work_dir.glob('*/*.json')
    table = json.loads(path.read_text())
    return {k: v for k, v in table.items() if 'mAP' in k}, pickle.loads(
        out.read_bytes()
    )


def what_it_found(predictions, ann_file):
    """Annotations of some of what a detector has found, smaller or shifted."""
    content = mmengine.load(ann_file)
    ids = [category['id'] for category in content['categories']]
    annotations = []
    for sample in predictions:
        found = sample['pred_instances']
        for i in range(0, len(found['scores']), 3):
            x1, y1, x2, y2 = found['bboxes'][i].tolist()
            mask = dict(found['masks'][i], counts=found['masks'][i]['counts'].decode())
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=sample['img_id'],
                    category_id=ids[int(found['labels'][i])],
                    bbox=[x1, y1, (x2 - x1) * (1 - i % 4 / 10), y2 - y1],
                    area=(x2 - x1) * (y2 - y1),
                    iscrowd=0,
                    segmentation=mask,
                )
            )
    return dict(content, annotations=annotations)


def test_the_table_is_the_same_before_and_after(digits, tmp_path):
    """Of a detector with seeded weights, against some of what it finds itself."""
    plain = tmp_path / 'plain.pth'
    cfg = load('digits/mask_rcnn_r50_digits.py')
    torch.save(with_numbers(build(cfg.model)).state_dict(), plain)
    _, found = evaluate('mask_rcnn_r50', plain, tmp_path / 'found', digits)
    ann_file = tmp_path / 'found.json'
    content = what_it_found(found, f'{digits}/annotations/instances_val.json')
    ann_file.write_text(json.dumps(content))
    own = {
        'test_dataloader.dataset.ann_file': str(ann_file),
        'test_evaluator.ann_file': str(ann_file),
    }
    before, found = evaluate('mask_rcnn_r50', plain, tmp_path / 'a', digits, **own)
    assert len(before) == 12 and len({*before.values()}) > 6

    out = tmp_path / 'eca.pth'
    call('add-attention', plain, out)
    own['model.backbone.folded'] = False
    eca = 'mask_rcnn_eca_r50_finetune'
    after, again = evaluate(eca, out, tmp_path / 'b', digits, **own)
    assert after == before
    for sample, expected in zip(again, found):
        for key in ('bboxes', 'scores', 'labels'):
            assert torch.equal(
                sample['pred_instances'][key], expected['pred_instances'][key]
            )
        assert sample['pred_instances']['masks'] == expected['pred_instances']['masks']
