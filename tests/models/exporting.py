"""Exports, by what the installed torch has for it."""

import inspect
import io
import warnings

import onnxruntime
import torch

# torch.onnx.export(dynamo=True) came with torch 2.5.
HAS_DYNAMO = 'dynamo' in inspect.signature(torch.onnx.export).parameters


def export(module, x):
    """The module as torch.export gives it back."""
    program = torch.export.export(module, (x,))
    # In torch 2.1 the program itself is called.
    return program.module() if hasattr(program, 'module') else program


def run_onnx(module, x, dynamo=HAS_DYNAMO):
    """The outputs of onnxruntime, exported by torch.export or by tracing."""
    file = io.BytesIO()
    options = dict(dynamo=dynamo) if HAS_DYNAMO else {}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(module, (x,), file, verbose=False, **options)
    session = onnxruntime.InferenceSession(file.getvalue())
    outs = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    return [torch.from_numpy(out) for out in outs]
