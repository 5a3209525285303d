"""Writes a detector as an ONNX file that has been checked."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.models.detectors import BaseDetector
from mmengine.config import Config

from .. import __version__
from ..dependencies import require
from ..errors import UserError
from ..training.checks import check_config
from ..training.detector import load_detector
from ..training.images import find_images
from ..training.outputs import check_new_file
from ..visualization import text_table
from ..weights.files import whole_file
from .checking import Checked, check, evaluate, test_pipeline
from .detectors import ExportableDetector, exportable
from .onnx_detector import OnnxDetector

# The highest that every torch writes which this package works with.
HIGHEST_OPSET = 17


@dataclass
class ExportReport:
    """A file that was written, compared with torch.

    Attributes:
        path (str): The file.
        metadata (dict): Its description, see :func:`describe`.
        opset (int): Version of ONNX's operators.
        checked (Checked): Differences and times.
        metrics (dict, optional): Each metric with torch and with onnxruntime.
    """

    path: str
    metadata: Mapping[str, Any]
    opset: int
    checked: Checked
    metrics: dict[str, tuple[float, float]] | None

    def __str__(self) -> str:
        metadata, checked = self.metadata, self.checked
        count = 1 if metadata['channels'] == 'grey' else 3
        shape = f'float32 (1, {count}, H, W)'
        if metadata['input'] == 'raw':
            shape = f'uint8 (H, W, {count})'
        written = (
            f'{self.path}: {metadata["detector"]} of {len(metadata["classes"])} '
            f'classes, opset {self.opset}, takes {metadata["input"]} images, '
            f'{shape} {metadata["channels"]}'
        )
        compared = (
            f'torch finds {checked.detections} objects in {checked.images} images; '
            f'onnxruntime differs by: {checked.differences()}'
        )
        if not checked.detections:
            compared = (
                f'torch and onnxruntime find nothing in {checked.images} images: give '
                '--images with objects, so that something is compared'
            )
        measured = (
            f'onnxruntime takes {checked.onnx_ms:.1f} ms an image, torch '
            f'{checked.torch_ms:.1f} ms: {checked.onnx_ms / checked.torch_ms:.2f} of '
            f'its time, on {checked.threads} thread(s) each'
        )
        lines = [written, compared, measured]
        if self.metrics:
            rows = [
                (name, f'{ours:.3f}', f'{theirs:.3f}')
                for name, (ours, theirs) in self.metrics.items()
            ]
            lines.append(text_table([('metric', 'torch', 'onnxruntime'), *rows]))
        return '\n'.join(lines)


def export_detector(
    config: str | Config,
    checkpoint: str,
    out: str,
    raw: bool = False,
    opset: int = HIGHEST_OPSET,
    images: Sequence[str] = (),
    with_evaluation: bool = False,
) -> ExportReport:
    """Writes a detector as an ONNX file and compares it with torch.

    The file appears when onnxruntime has found in all images what torch has found.

    Args:
        config (str | Config): Config of a RetinaNet, Faster R-CNN or Mask R-CNN.
        checkpoint (str): Its weights.
        out (str): The file to write.
        raw (bool): Whether the file takes images as they are read, uint8 BGR of shape
            (H, W, 3), instead of normalised ones, float32 of shape (1, 3, H, W).
        opset (int): Version of ONNX's operators.
        images (Sequence[str]): Images, folders and patterns to compare on; by default
            random images of two sizes.
        with_evaluation (bool): Whether to evaluate both on the config's data for
            tests, too.

    Returns:
        ExportReport: The differences, the times and the metrics.

    Raises:
        UserError: If ``out`` exists, the detector cannot be exported, an image cannot
            be read, or the results differ; nothing is left behind then.
    """
    check_new_file(out)
    require('onnx', 'export')
    require('onnxruntime', 'export')
    paths = find_images(images) if images else []
    model = load_detector(config, checkpoint, 'cpu')
    module = exportable(model, raw)
    lowest = module.kind.lowest_opset
    if not lowest <= opset <= HIGHEST_OPSET:
        raise UserError(
            f'opset {opset}: a {type(model).__name__} needs {lowest} to '
            f'{HIGHEST_OPSET}; {lowest} is the first with {module.kind.reason}'
        )
    if with_evaluation:
        if not (model.cfg.get('test_dataloader') and model.cfg.get('test_evaluator')):
            raise UserError(
                'to evaluate, the config must have test_dataloader and test_evaluator'
            )
        check_config(model.cfg, ('test',))
    with whole_file(out) as unfinished:
        write_onnx(module, unfinished, opset)
        detector = OnnxDetector(unfinished)
        checked = check(module, detector, paths)
        metrics = evaluate(model, detector) if with_evaluation else None
    return ExportReport(out, detector.metadata, opset, checked, metrics)


def write_onnx(module: ExportableDetector, path: str, opset: int) -> None:
    """Writes a detector and its description, see :func:`describe`, as an ONNX file.

    Args:
        module (ExportableDetector): The detector.
        path (str): The file.
        opset (int): Version of ONNX's operators.

    Raises:
        UserError: If a layer has no equal among ONNX's operators.
    """
    import onnx

    image = torch.linspace(0, 255, 96 * 128 * module.channels)
    image = image.reshape(96, 128, module.channels)
    sizes = {0: 'height', 1: 'width'}
    if module.raw:
        image = image.to(torch.uint8)
    else:
        image = image.permute(2, 0, 1)[None] / 128 - 1
        sizes = {2: 'height', 3: 'width'}
    names = list(module.kind.outputs)
    with warnings.catch_warnings(), torch.no_grad():
        # They tell of values that become constants, such as numbers of levels; whether
        # a size has become one is checked by images of other sizes.
        warnings.simplefilter('ignore')
        try:
            torch.onnx.export(
                module,
                (image,),
                path,
                input_names=['image'],
                output_names=names,
                dynamic_axes=dict(
                    image=sizes, **{name: {0: 'detections'} for name in names}
                ),
                opset_version=opset,
                dynamo=False,  # the other exporter follows no custom functions
            )
        except torch.onnx.errors.OnnxExporterError as error:
            reason = str(error).splitlines()[0]
            raise UserError(f'torch cannot export this detector: {reason}') from None
    file = onnx.load(path)
    for name, value in describe(module).items():
        file.metadata_props.add(key=name, value=json.dumps(value))
    onnx.checker.check_model(file)
    onnx.save(file, path)


def describe(module: ExportableDetector) -> dict[str, Any]:
    """Describes a detector, so that whoever runs the file needs no config.

    Returns:
        dict: ``mmdet_eca``, the version; ``detector``; ``classes``, their names by
        label; ``input``, 'raw' or 'normalised'; ``channels`` of the input, 'BGR', 'RGB'
        or 'grey'; ``mean`` and ``std`` in the order of the normalised channels;
        ``resize``, the test pipeline's scale (width, height) and whether it keeps the
        ratio, or None;
        ``score_threshold``, below which nothing is returned; and ``mask_threshold``.
    """
    model, preprocessor = module.model, module.model.data_preprocessor
    normalises = hasattr(preprocessor, 'mean')
    channels = 'RGB' if module.swaps_channels and not module.raw else 'BGR'
    test_cfg = model.test_cfg.get('rcnn', model.test_cfg)
    return dict(
        mmdet_eca=__version__,
        detector=type(model).__name__,
        classes=list(model.dataset_meta.get('classes') or ()),
        input='raw' if module.raw else 'normalised',
        channels=channels if module.channels == 3 else 'grey',
        mean=preprocessor.mean.flatten().tolist() if normalises else [0.0],
        std=preprocessor.std.flatten().tolist() if normalises else [1.0],
        resize=_resize(model),
        score_threshold=test_cfg.score_thr,
        mask_threshold=test_cfg.get('mask_thr_binary'),
    )


def _resize(model: BaseDetector) -> dict | None:
    for transform in test_pipeline(model.cfg):
        if transform.type == 'Resize' and 'scale' in transform:
            return dict(
                scale=transform.scale, keep_ratio=transform.get('keep_ratio', False)
            )
    return None
