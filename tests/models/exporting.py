"""Exports, by what the installed torch has for it."""

import io
import warnings

import onnxruntime
import pytest
import torch

# torch 2.6's fails at every batch norm.
HAS_NEW_EXPORTER = not torch.__version__.startswith('2.6')
needs_new_exporter = pytest.mark.skipif(
    not HAS_NEW_EXPORTER, reason="torch 2.6's new exporter fails at batch norms"
)


def export(module, x):
    """The module as torch.export gives it back."""
    return torch.export.export(module, (x,)).module()


def run_onnx(module, x, dynamo=HAS_NEW_EXPORTER):
    """The outputs of onnxruntime, exported by torch.export or by tracing."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(module, (x,), file, verbose=False, dynamo=dynamo)
    session = onnxruntime.InferenceSession(file.getvalue())
    outs = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    return [torch.from_numpy(out) for out in outs]
