"""What counts as a difference, and mistakes."""

import os
import sys
from shutil import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from mmdet_eca.errors import UserError
from mmdet_eca.export import Checked, OnnxDetector, export, export_detector, exportable
from mmdet_eca.export.checking import compare
from tests.conftest import ROOT
from tests.export.small import DATA, small_detector
from tests.tools.in_process import call, mistake


def instances(count=4):
    masks = torch.zeros(count, 20, 20, dtype=torch.bool)
    masks[:, 5:15, 5:15] = True
    boxes = torch.tensor([[5.0, 5, 15, 15]]) + 30 * torch.arange(count)[:, None]
    return InstanceData(
        bboxes=boxes,
        scores=0.9 - 0.1 * torch.arange(count),
        labels=torch.arange(count),
        masks=masks,
    )


def compared(change):
    theirs = instances()
    changed = change(theirs)
    checked = Checked()
    compare(
        instances(),
        theirs if changed is None else changed,
        checked,
        score_threshold=0.05,
    )
    return checked


def shift_box(theirs):
    theirs.bboxes[1, 2] += 0.5


def lower_score(theirs):
    theirs.scores[2] -= 0.25


def shrink_mask(theirs):
    theirs.masks[3, 5:10] = False


def change_label(theirs):
    theirs.labels[0] = 9


def test_equal_results_in_another_order_do_not_differ():
    checked = compared(lambda theirs: theirs[[2, 0, 3, 1]])
    assert (checked.boxes, checked.scores, checked.mask_iou) == (0, 0, 1)
    assert (checked.images, checked.detections, checked.unmatched) == (1, 4, 0)
    assert checked.agrees()


@pytest.mark.parametrize(
    ('change', 'name', 'value'),
    [
        (shift_box, 'boxes', 0.5),
        (lower_score, 'scores', 0.25),
        (shrink_mask, 'mask_iou', 0.5),
        (change_label, 'unmatched', 2),  # each has one that the other has not
        (lambda theirs: theirs[:3], 'unmatched', 1),
        (lambda theirs: theirs[:0], 'unmatched', 4),
    ],
)
def test_differences_are_found(change, name, value):
    checked = compared(change)
    assert getattr(checked, name) == pytest.approx(value)
    assert not checked.agrees()


def test_a_detection_at_the_threshold_may_be_of_only_one():
    ours = instances()
    ours.scores[3] = 0.0501
    checked = Checked()
    compare(ours, ours[:3], checked, score_threshold=0.05)
    assert checked.unmatched == 0


@pytest.fixture(scope='module')
def mask_rcnn(tmp_path_factory, digits):
    """A config and its weights; and the report on the file that is made of them."""
    folder = tmp_path_factory.mktemp('mask_rcnn')
    files = small_detector(folder, 'mask_rcnn', data=DATA.format(root=digits))
    out = str(folder / 'out.onnx')
    return files, export_detector(*files, out, with_evaluation=True)


@pytest.fixture
def written_before(mask_rcnn, monkeypatch):
    """Writing takes seconds: the file is there already."""
    _, report = mask_rcnn
    monkeypatch.setattr(
        export, 'write_onnx', lambda module, path, opset: copy(report.path, path)
    )


def test_compares_on_random_images_and_evaluates(mask_rcnn):
    _, report = mask_rcnn
    assert (report.checked.images, report.checked.detections) == (2, 60)
    assert report.checked.agrees()
    assert {'coco/bbox_mAP', 'coco/segm_mAP'} <= set(report.metrics)
    for ours, theirs in report.metrics.values():
        assert ours == pytest.approx(theirs, abs=1e-3)
    assert '| coco/segm_mAP ' in str(report)


@pytest.mark.usefixtures('written_before')
def test_the_command_compares_on_images(mask_rcnn, digits, tmp_path, capsys):
    files, _ = mask_rcnn
    out = tmp_path / 'out.onnx'
    call('export', *files, out, '--images', f'{digits}/val')
    printed = capsys.readouterr().out
    assert 'MaskRCNN of 10 classes, opset 17' in printed
    assert 'objects in 4 images' in printed
    assert OnnxDetector(str(out)).metadata['detector'] == 'MaskRCNN'
    assert f'{out} exists' in mistake('export', *files, out)


GREY = """
model['backbone'].update(in_channels=1)
model['data_preprocessor'] = dict(mean=[127.5], std=[60.0], bgr_to_rgb=False)
val_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadImageFromFile', color_type='grayscale'),
    dict(type='Resize', scale=(240, 160), keep_ratio=True),
    dict(type='PackDetInputs', meta_keys=(
        'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))]))
test_dataloader = test_evaluator = test_cfg = None
"""


@pytest.mark.parametrize('raw', [True, False])
def test_a_detector_of_grey_images_without_a_test_set(tmp_path, raw, digits):
    files = small_detector(tmp_path, 'retinanet', data=GREY)
    out = str(tmp_path / 'out.onnx')
    report = export_detector(*files, out, raw, images=[f'{digits}/val'] if raw else [])
    assert report.checked.detections > 20
    assert report.metadata['channels'] == 'grey'
    assert report.metadata['resize'] == dict(scale=[240, 160], keep_ratio=True)
    assert ('uint8 (H, W, 1)' if raw else 'float32 (1, 1, H, W)') in str(report)


def test_layers_that_onnx_lacks_are_named(tmp_path):
    more = (
        "model['backbone'].update(depth=50, dcn=dict(type='DCNv2', deform_groups=1), "
        'stage_with_dcn=(False, False, False, True))\n'
        "model['neck'].update(in_channels=[64, 128, 256, 512])"
    )
    files = small_detector(tmp_path, 'retinanet', data=more)
    line = mistake('export', *files, tmp_path / 'out.onnx')
    assert 'ModulatedDeformConv2d' in line
    assert not list(tmp_path.glob('out.onnx*'))


@pytest.mark.usefixtures('written_before')
def test_a_file_that_differs_is_not_left(mask_rcnn, tmp_path):
    (config, checkpoint), _ = mask_rcnn
    other = torch.load(checkpoint)
    other['state_dict']['roi_head.bbox_head.fc_cls.weight'] *= 0.9
    torch.save(other, tmp_path / 'other.pth')
    with pytest.raises(UserError, match='differences: boxes'):
        export_detector(config, str(tmp_path / 'other.pth'), str(tmp_path / 'out.onnx'))
    assert os.listdir(tmp_path) == ['other.pth']


@pytest.mark.usefixtures('written_before')
def test_what_cannot_be_written_or_read(mask_rcnn, tmp_path):
    files, _ = mask_rcnn

    def refused(message, out='out.onnx', **options):
        cfg = Config.fromfile(files[0])
        cfg.merge_from_dict(options.pop('cfg', {}))
        with pytest.raises(UserError, match=message):
            export_detector(cfg, files[1], str(tmp_path / out), **options)
        assert not list(tmp_path.glob('out.onnx*'))

    refused('folder .*/nowhere', out='nowhere/out.onnx')
    refused('/proc/out.onnx cannot be written', out='/proc/out.onnx')
    refused('opset 11: .* 16 to 17', opset=11)
    refused('opset 25: .* 16 to 17', opset=25)
    refused('nowhere.jpg', images=['nowhere.jpg'])
    (tmp_path / 'text.jpg').write_text('text')
    refused('text.jpg', images=[str(tmp_path)])
    refused(
        "type of nms in test_cfg of roi_head is 'soft_nms'",
        cfg={'model.test_cfg.rcnn.nms.type': 'soft_nms'},
    )
    refused('test_evaluator', cfg={'test_evaluator': None}, with_evaluation=True)


def test_a_missing_package_is_named(mask_rcnn, tmp_path, monkeypatch):
    files, _ = mask_rcnn
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(UserError, match=r'onnxruntime.*mmdet_eca\[export\]'):
        export_detector(*files, str(tmp_path / 'out.onnx'))


def test_onnx_files_of_others_are_refused(tmp_path):
    (tmp_path / 'text.onnx').write_text('text')
    with pytest.raises(UserError, match='onnxruntime does not read'):
        OnnxDetector(str(tmp_path / 'text.onnx'))
    with pytest.raises(UserError, match='onnxruntime does not read'):
        OnnxDetector(str(tmp_path / 'nowhere.onnx'))


def model_of(name):
    cfg = Config.fromfile(f'{ROOT}/configs/{name}')
    cfg.merge_from_dict(
        {
            'model.backbone.base_channels': 16,
            'model.backbone.init_cfg': None,
            'model.neck.in_channels': [64, 128, 256, 512],
        }
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(cfg.model).eval()


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ('atss_eca_r50_fpn_1x.py', 'ATSS, .*: RetinaNet, FasterRCNN, MaskRCNN'),
        ('cascade_rcnn_eca_r50_fpn_1x.py', 'CascadeRCNN'),
        (
            'legacy/retinanet_eca_r50_fpn_1x.py',
            'bbox_head.bbox_coder is .* DeltaXYWHBBoxCoder',
        ),
    ],
)
def test_other_detectors_are_refused_by_their_names(config, message):
    with pytest.raises(UserError, match=message):
        exportable(model_of(config))
