from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..visualization.text_tables import text_table
from .checking import Checked


@dataclass
class ExportReport:
    """What was written, and how it compares with torch.

    Attributes:
        path (str): The file.
        metadata (dict): What it says of itself.
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
        shape = 'float32 (1, 3, H, W)'
        if metadata['input'] == 'raw':
            shape = 'uint8 (H, W, 3)'
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
