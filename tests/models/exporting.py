"""Exports, by what the installed torch has for it."""

import io
import warnings

import onnxruntime
import torch


def export(module, x):
    """The module as torch.export gives it back."""
    return torch.export.export(module, (x,)).module()


def run_onnx(module, x, dynamo=True):
    """The outputs of onnxruntime, exported by torch.export or by tracing."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(module, (x,), file, verbose=False, dynamo=dynamo)
    session = onnxruntime.InferenceSession(file.getvalue())
    outs = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    return [torch.from_numpy(out) for out in outs]
