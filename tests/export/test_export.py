"""What an exported detector finds is what MMDetection's own test_step finds."""

import json
from shutil import copy
from typing import NamedTuple

import cv2
import numpy as np
import onnx
import openvino
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.models.detectors import BaseDetector
from mmdet.utils import get_test_pipeline_cfg
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData

from mmdet_eca.export import OnnxDetector, exportable, normalise
from mmdet_eca.export.export import write_onnx
from mmdet_eca.training.detector import load_detector
from tests.docs.pages import read_blocks
from tests.export.small import KINDS, SIZES, detect, image, packed, small_detector

LOWEST_OPSETS = dict(retinanet=12, faster_rcnn=16, mask_rcnn=16)
# No score is so high; and in a small image no proposal is so large.
NOTHING = dict(
    retinanet='test_cfg=dict(score_thr=0.9999)',
    mask_rcnn='test_cfg=dict(rpn=dict(min_bbox_size=150), rcnn=dict(score_thr=0.9999))',
)


class Exported(NamedTuple):
    model: BaseDetector
    path: str
    detector: OnnxDetector


def export(folder, kind, more='', raw=False, opset=17):
    model = load_detector(*small_detector(folder, kind, more), 'cpu')
    path = str(folder / 'out.onnx')
    write_onnx(exportable(model, raw), path, opset)
    return Exported(model, path, OnnxDetector(path))


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    """Each kind of detector, and what finds nothing, exported when first asked for."""
    made = {}

    def get(kind, more=''):
        if (kind, more) not in made:
            folder = tmp_path_factory.mktemp(kind)
            made[kind, more] = export(folder, kind, more, opset=LOWEST_OPSETS[kind])
        return made[kind, more]

    return get


def assert_same(found, expected):
    assert len(found) == len(expected)
    # Scores that are equal up to rounding may come in another order.
    apart = (found.bboxes[:, None] - expected.bboxes).abs().amax(-1)
    apart += 100 * (found.scores[:, None] - expected.scores).abs()
    apart += 100 * (found.labels[:, None] != expected.labels)
    order = apart.argmin(0)
    assert sorted(order.tolist()) == list(range(len(found)))
    assert apart.amin(0).max() < 0.01
    assert ('masks' in found) == ('masks' in expected)
    if 'masks' in expected:
        masks = found.masks[order]
        assert masks.shape == expected.masks.shape
        assert expected.masks.any()
        differ = (masks != expected.masks).flatten(1).sum(1)
        assert (differ <= 0.02 * expected.masks.flatten(1).sum(1) + 2).all()


@pytest.mark.parametrize('kind', KINDS)
def test_finds_what_torch_finds_in_images_of_any_size(exported, kind):
    model, _, detector = exported(kind)
    for size in SIZES:
        data = packed(image(*size), scale_factor=(2.0, 1.5))
        (expected,) = detect(model, data)
        (found,) = detect(detector, data)
        assert len(expected) > 20
        assert_same(found, expected)


def test_each_image_of_a_batch_is_detected_alone(exported):
    model, _, detector = exported('retinanet')
    first, second = (packed(image(*size)) for size in SIZES)
    both = {name: first[name] + second[name] for name in first}
    for found, data in zip(detect(detector, both), (first, second)):
        assert_same(found, detect(model, data)[0])


@pytest.fixture(scope='module')
def raw(tmp_path_factory):
    """A Mask R-CNN that takes raw images; all classes have the same box and mask."""
    more = """roi_head=dict(
        bbox_head=dict(reg_class_agnostic=True), mask_head=dict(class_agnostic=True))"""
    return export(tmp_path_factory.mktemp('raw'), 'mask_rcnn', more, raw=True)


def test_raw_images_and_heads_without_classes(raw):
    model, _, detector = raw
    assert (detector.metadata['input'], detector.metadata['channels']) == ('raw', 'BGR')
    data = packed(image(100, 141))
    (expected,) = detect(model, data)
    assert len(expected) > 20
    assert_same(detect(detector, data)[0], expected)


def test_the_pages_program_finds_what_torch_finds(raw, tmp_path, monkeypatch):
    model, path, _ = raw
    cv2.imwrite(str(tmp_path / 'photo.jpg'), image(300, 400))
    copy(path, tmp_path / 'detector.onnx')
    monkeypatch.chdir(tmp_path)
    with_onnxruntime, with_openvino = (
        block.text
        for block in read_blocks('docs/export.md')
        if block.language == 'python'
    )
    names: dict = {}
    exec(with_onnxruntime, names)
    found = InstanceData(
        bboxes=torch.from_numpy(names['boxes']),
        scores=torch.from_numpy(names['scores']),
        labels=torch.from_numpy(names['labels']),
        masks=torch.from_numpy(np.stack(names['masks'])),
    )
    pipeline = Compose(get_test_pipeline_cfg(model.cfg))
    data = pseudo_collate([pipeline(dict(img_path='photo.jpg', img_id=0))])
    (expected,) = detect(model, data)
    assert len(expected) > 20
    assert_same(found, expected)

    exec(with_openvino, names)  # of the image as it is, in bfloat16 or float32
    assert names['found']['boxes'].shape[1] == 4


@pytest.mark.parametrize('kind', NOTHING)
def test_finds_nothing_where_nothing_is(exported, kind):
    model, _, detector = exported(kind, NOTHING[kind])
    for size in ((160, 240), (64, 64)):
        data = packed(image(*size))
        (expected,) = detect(model, data)
        (found,) = detect(detector, data)
        assert len(expected) == len(found) == 0
        assert found.bboxes.shape == (0, 4)
        if kind == 'mask_rcnn':
            assert found.masks.shape == expected.masks.shape == (0, *size)


@pytest.mark.parametrize('kind', KINDS)
def test_openvino_gives_what_onnxruntime_gives(exported, kind):
    _, path, detector = exported(kind)
    # Where the CPU has bfloat16, OpenVINO would compute in that.
    options = {'INFERENCE_PRECISION_HINT': 'f32', 'INFERENCE_NUM_THREADS': 1}
    compiled = openvino.Core().compile_model(path, 'CPU', options)
    for size in SIZES:
        pixels = normalise(image(*size), detector.metadata)
        expected = detector(pixels)
        found = compiled([pixels])
        assert len(expected['boxes']) > 20
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize('kind', NOTHING)
def test_openvino_finds_nothing_where_nothing_is(exported, kind):
    _, path, detector = exported(kind, NOTHING[kind])
    compiled = openvino.Core().compile_model(path, 'CPU')
    for size in ((160, 240), (64, 64)):
        pixels = normalise(image(*size), detector.metadata)
        for name, value in detector(pixels).items():
            assert compiled([pixels])[name].shape == value.shape
            assert len(value) == 0


def test_the_file_says_what_who_runs_it_must_know(exported):
    _, path, detector = exported('mask_rcnn')
    assert detector.metadata == dict(
        mmdet_eca='0.1.0',
        detector='MaskRCNN',
        classes=list('0123456789'),
        input='normalised',
        channels='RGB',
        mean=pytest.approx([123.675, 116.28, 103.53]),
        std=pytest.approx([58.395, 57.12, 57.375]),
        resize=dict(scale=[240, 160], keep_ratio=True),
        score_threshold=0.05,
        mask_threshold=0.5,
    )
    file = onnx.load(path)
    assert [opset.version for opset in file.opset_import] == [16]
    classes = {entry.key: entry.value for entry in file.metadata_props}['classes']
    assert json.loads(classes) == list('0123456789')
    types = {node.op_type for node in file.graph.node}
    assert {'RoiAlign', 'NonMaxSuppression', 'TopK'} <= types
    assert {node.domain for node in file.graph.node} == {''}  # ONNX's own only


def test_onnxruntime_uses_the_threads_that_are_asked_for(exported):
    _, path, detector = exported('retinanet')
    one = OnnxDetector(path, threads=1)
    assert one._session.get_session_options().intra_op_num_threads == 1
    options = detector._session.get_session_options()
    assert options.intra_op_num_threads == torch.get_num_threads()
