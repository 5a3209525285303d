"""Detectors of MMDetection 1.x, made from known ones by going backwards."""

import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint

from mmdet_eca import UserError, config_path
from mmdet_eca.training.runner import build_runner
from mmdet_eca.weights.convert import convert_checkpoint
from tests.conftest import run
from tests.tools.in_process import call, log, mistake
from tests.weights.layouts import fill
from tests.weights.small_detectors import (
    DETECTORS,
    as_in_1x,
    build,
    detect,
    save_as_in_1x,
    small_config,
    with_numbers,
)


@pytest.mark.parametrize('detector', DETECTORS)
def test_a_converted_detector_detects_the_same(detector, tmp_path):
    config = small_config(detector, tmp_path)
    known = with_numbers(build(config))
    expected = detect(known)
    old = as_in_1x(known.state_dict())
    rows = dict(faster_rcnn=81, mask_rcnn=81, retinanet=9 * 80)[detector]
    head = 'retina_cls' if detector == 'retinanet' else 'fc_cls'
    assert len(old[f'bbox_head.{head}.bias']) == rows

    path = save_as_in_1x(old, tmp_path / 'authors.pth')
    out = tmp_path / 'converted.pth'
    message = convert_checkpoint(path, str(out))
    assert len(message.splitlines()) == 1
    assert 'MMDetection 1.x' in message
    k = (5, 5, 5, 5) if detector == 'faster_rcnn' else (3, 3, 7, 7)
    assert (
        f'{detector} with ECAResNet(depth=50, kernel_size={k}), for '
        f'configs/legacy/{detector}_eca_r50_fpn_1x.py'
    ) in message
    assert f'{len(old)} tensors' in message

    converted = build(config)
    meta = load_checkpoint(converted, str(out), strict=True)['meta']
    assert meta['dataset_meta']['classes'] == tuple(map(str, range(80)))
    found = detect(converted)
    for result, original in zip(found, expected):
        assert len(original.bboxes) > 20 and len(original.labels.unique()) > 3
        assert result.keys() == original.keys()
        for key, value in original.items():
            assert torch.equal(result[key], value), key
    assert ('masks' in expected[0]) == (detector == 'mask_rcnn')


def test_a_converted_detector_is_evaluated(coco, tmp_path, capsys):
    """The commands of docs/paper_tables.md, on a folder laid out as COCO's."""
    config = small_config('mask_rcnn', tmp_path)
    old = as_in_1x(with_numbers(build(config)).state_dict())
    out = tmp_path / 'out.pth'
    call('convert-checkpoint', save_as_in_1x(old, tmp_path / 'authors.pth'), out)
    assert 'mask_rcnn_eca_r50_fpn_1x.py' in capsys.readouterr().out.splitlines()[-1]
    call(
        'test',
        config,
        out,
        '--work-dir',
        tmp_path / 'work',
        '--cfg-options',
        f'test_dataloader.dataset.data_root={coco}/',
        'test_dataloader.num_workers=0',
        'test_dataloader.persistent_workers=False',
        'test_dataloader.dataset.pipeline.1.scale=(160,128)',
        f'test_evaluator.ann_file={coco}/annotations/instances_val2017.json',
    )
    assert 'coco/segm_mAP' in log(tmp_path / 'work')
    assert 'not match exactly' not in log(tmp_path / 'work')


@pytest.mark.parametrize(
    ('detector', 'depth', 'message'),
    [
        ('mask_rcnn', 101, "lacks 'backbone.layer3.6.*not the one of this"),
        ('retinanet', 50, "lacks 'neck.* of this RetinaNet: its network"),
    ],
)
def test_another_detectors_config_is_refused(
    detector, depth, message, mask_rcnn_1x, coco, tmp_path
):
    out = str(tmp_path / 'out.pth')
    convert_checkpoint(save_as_in_1x(mask_rcnn_1x, tmp_path / 'authors.pth'), out)
    cfg = Config.fromfile(small_config(detector, tmp_path, depth))
    cfg.merge_from_dict(
        {
            'load_from': out,
            'work_dir': str(tmp_path / 'work'),
            'launcher': 'none',
            'model.backbone.kernel_size': (3, 3, 7, 7),
            'test_dataloader.dataset.data_root': f'{coco}/',
            'test_dataloader.num_workers': 0,
            'test_dataloader.persistent_workers': False,
            'test_evaluator.ann_file': f'{coco}/annotations/instances_val2017.json',
        }
    )
    with pytest.raises(UserError, match=message):
        build_runner(cfg, ('test',)).test()


MEASURE = """
import os, resource, sys, time
from mmdet_eca.weights.convert import convert_checkpoint
from mmdet_eca.training.runner import build_runner
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before, start = peak(), time.time()
convert_checkpoint(*sys.argv[1:])
print((peak() - before) / os.path.getsize(sys.argv[1]), time.time() - start)
"""


def test_a_real_detector_takes_seconds_and_its_size_in_memory(tmp_path):
    with torch.device('meta'):
        model = build(config_path('legacy/mask_rcnn_eca_r50_fpn_1x.py'))
    shapes = model.state_dict()
    path = save_as_in_1x(
        as_in_1x({k: torch.zeros(v.shape) for k, v in shapes.items()}),
        tmp_path / 'authors.pth',
    )
    done = run(
        sys.executable, '-W', 'ignore', '-c', MEASURE, path, tmp_path / 'out.pth'
    )
    size, seconds = map(float, done.stdout.split())
    assert size < 2 and seconds < 30


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda w: w.pop('bbox_head.fc_reg.bias'), "lacks 'bbox_head.fc_reg.bias'"),
        (
            lambda w: w.update({'mask_head.convs.4.conv.weight': torch.ones(1)}),
            "has 'mask_head.convs.4.conv.weight' (1 names left over)",
        ),
        (
            lambda w: w.update({'bbox_head.fc_reg.bias': torch.ones(4)}),
            'bbox_head.fc_reg.bias has 4 rows, not 324',
        ),
        (
            lambda w: w.update({'mask_head.conv_logits.bias': torch.ones(80)}),
            'mask_head.conv_logits.bias has 80 rows, not 81',
        ),
        (
            lambda w: w.update(
                {  # a cascade's heads are numbered
                    name.replace('bbox_head.', 'bbox_head.0.'): w.pop(name)
                    for name in list(w)
                    if name.startswith('bbox_head.')
                }
            ),
            "'bbox_head.0.",
        ),
        (
            lambda w: [
                w.pop(name) for name in list(w) if name.startswith('backbone.layer4.2')
            ],
            '(3, 4, 6, 2) blocks a stage are no ResNet',
        ),
        (
            lambda w: w.pop('backbone.layer2.1.eca.conv.weight'),
            "lacks 'layer2.1.eca.conv.weight'",
        ),
    ],
)
def test_a_foreign_detector_is_refused(change, message, mask_rcnn_1x, tmp_path):
    state_dict = dict(mask_rcnn_1x)
    change(state_dict)
    out = tmp_path / 'out.pth'
    with pytest.raises(UserError) as error:
        convert_checkpoint(save_as_in_1x(state_dict, tmp_path / 'old.pth'), str(out))
    assert message in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ['old.pth']


@pytest.fixture(scope='module')
def mask_rcnn_1x(tmp_path_factory):
    config = small_config('mask_rcnn', tmp_path_factory.mktemp('config'))
    return as_in_1x(with_numbers(build(config)).state_dict())


ONE_STAGE = {
    'backbone.layer1.0.conv1.weight': (8, 8, 1, 1),
    'bbox_head.retina_cls.weight': (9, 32, 3, 3),
}
TWO_STAGES_2X = {
    'backbone.layer1.0.conv1.weight': (8, 8, 1, 1),
    'rpn_head.rpn_cls.weight': (3, 32, 1, 1),
    'roi_head.bbox_head.fc_cls.weight': (81, 64),
}
V2 = dict(mmdet_version='2.28.2', mmcv_version='1.7.1', CLASSES=('a', 'b'))
V3 = dict(mmengine_version='0.10.7', dataset_meta=dict(classes=('a', 'b')))


@pytest.mark.parametrize(
    ('shapes', 'meta', 'given', 'source'),
    [
        (ONE_STAGE, V2, None, 'an MMDetection 2.x detector'),
        (TWO_STAGES_2X, V2, None, 'an MMDetection 2.x detector'),
        (TWO_STAGES_2X, {}, None, 'an MMDetection 2.x detector'),
        (ONE_STAGE, {}, '2.0.0', 'an MMDetection 2.x detector'),
        (ONE_STAGE, V3, None, 'of this package or of MMDetection 3.x'),
        (TWO_STAGES_2X, V3, None, 'of this package or of MMDetection 3.x'),
        (ONE_STAGE, dict(mmdet_version='3.3.0'), None, 'or of MMDetection 3.x'),
    ],
)
def test_detectors_of_2x_and_3x_keep_their_names(shapes, meta, given, source, tmp_path):
    state_dict, out = fill(shapes), tmp_path / 'out.pth'
    torch.save(dict(state_dict=state_dict, meta=meta), tmp_path / 'in.pth')
    message = convert_checkpoint(str(tmp_path / 'in.pth'), str(out), given)
    assert source in message and 'nothing to rename' in message
    assert 'legacy' not in message
    converted = torch.load(out, weights_only=True)
    assert {k: tuple(v.shape) for k, v in converted['state_dict'].items()} == shapes
    assert all(torch.equal(converted['state_dict'][k], state_dict[k]) for k in shapes)
    if meta in (V2, V3):
        assert converted['meta']['dataset_meta']['classes'] == ('a', 'b')


def test_a_retinanet_of_2x_evaluates_as_it_is(tmp_path):
    """As mmdet 3.x's own, that is, without the pixel of 1.x."""
    config = small_config('retinanet', tmp_path)
    known = with_numbers(build(config))
    torch.save(dict(state_dict=known.state_dict(), meta=V2), tmp_path / 'in.pth')
    convert_checkpoint(str(tmp_path / 'in.pth'), str(tmp_path / 'out.pth'))
    model = build(config)
    load_checkpoint(model, str(tmp_path / 'out.pth'), strict=True)
    for result, original in zip(detect(model), detect(known)):
        assert len(original.bboxes) > 20
        assert torch.equal(result.bboxes, original.bboxes)


def test_versions_that_are_not_said_or_do_not_fit(tmp_path):
    path, out = str(tmp_path / 'in.pth'), str(tmp_path / 'out.pth')
    torch.save(dict(state_dict=fill(ONE_STAGE)), path)
    for given in (None, 'latest'):
        with pytest.raises(
            UserError,
            match=r'\(meta.mmdet_version\), and 1.x, '
            '2.x and 3.x have the same names .* --mmdet-version',
        ):
            convert_checkpoint(path, out, given)
    with pytest.raises(UserError, match='of a retinanet of MMDetection 1.x'):
        convert_checkpoint(path, out, '1.2.0')  # not whole, but taken for it
    torch.save(dict(state_dict=fill(ONE_STAGE), meta=V2), path)
    with pytest.raises(UserError, match='is of MMDetection 2.28.2, not 1.2.0'):
        convert_checkpoint(path, out, '1.2.0')
    detr = {**ONE_STAGE, 'bbox_head.transformer.encoder.weight': (1,)}
    torch.save(dict(state_dict=fill(detr), meta=V2), path)
    with pytest.raises(UserError, match='MMDetection 3.x has rebuilt the DETRs'):
        convert_checkpoint(path, out)
    line = mistake('convert-checkpoint', path, out, '--mmdet-version', '1.2.0')
    assert 'leave --mmdet-version out' in line


@pytest.mark.parametrize('detector', DETECTORS)
@pytest.mark.parametrize('depth', [50, 101])
def test_legacy_configs_have_the_released_kernel_sizes(detector, depth):
    """Of the files on the authors' page."""
    released = {
        ('faster_rcnn', 50): (5, 5, 5, 5),
        ('mask_rcnn', 50): (3, 3, 7, 7),
        ('retinanet', 50): (3, 3, 7, 7),
    }
    cfg = Config.fromfile(config_path(f'legacy/{detector}_eca_r{depth}_fpn_1x.py'))
    assert cfg.model.backbone.kernel_size == released.get(
        (detector, depth), (3, 3, 5, 7)
    )
    assert cfg.model.backbone.depth == depth
    assert cfg.model.backbone.init_cfg is None
    assert cfg.test_evaluator.type == 'InclusiveCocoMetric'
