"""mmcv's operators without compiling, beside the compiled ones."""

import statistics
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from mmcv_operators import extension, has_compiled_operators

from ..visualization import text_table
from .measuring import (
    check_positive,
    choose_device,
    paired_seconds,
    progress_bar,
    significant,
    spread,
    write_table,
)
from .memory import call_bytes

HEADER = ['operator', 'ours, ms', 'compiled, ms', 'ours / compiled', 'memory, MiB']
# A call with the operators of a module: mmcv._ext, or ours.
Call = Callable[[Any], Any]


def benchmark_operators(rounds: int, out: str, device: str | None = None) -> str:
    """Times each operator with both modules in turn, round after round.

    Args:
        rounds (int): How often each operator is timed; one more call warms up.
        out (str): Folder for ``operators.txt``, ``operators.md`` (with the machine and
            the command) and ``operators.json``.
        device (str, optional): ``cpu``, ``cuda`` or ``cuda:N``; None takes the
            GPU if there is one.

    Returns:
        str: The table: medians in milliseconds, the ratio's median, smallest and
        largest, and the peak memory of a call beyond its inputs, ours and the compiled
        one's. Without compiled operators only ours are measured.

    Raises:
        UserError: If there is no such device, or ``rounds`` is not positive.
    """
    check_positive(rounds=rounds)
    place = choose_device(device)
    modules: dict[str, Any] = dict(ours=extension)
    if has_compiled_operators():
        modules['compiled'] = import_module('mmcv._ext')
    cases = _cases(place)
    rows, results = [HEADER], {}
    with progress_bar(len(cases)) as progress:
        for name, call in cases.items():
            progress.set_description_str(name)
            found = _measure(call, modules, rounds, place)
            results[name] = found
            rows.append([name, *_row(found)])
            progress.update()
    text = text_table(rows)
    write_table(out, 'operators', text, rows, results, place)
    return text


def _measure(
    call: Call, modules: dict[str, Any], rounds: int, device: torch.device
) -> dict[str, dict[str, Any]]:
    """Returns seconds and peak bytes by module; none where it lacks the operator."""
    runs: dict[str, Callable] = {}
    for name, module in modules.items():
        # A compiled mmcv has some for CUDA only.
        with suppress(RuntimeError):
            call(module)
            runs[name] = lambda module=module: call(module)
    times = paired_seconds(runs, rounds, lambda name: None)
    return {
        name: dict(seconds=times[name], peak_bytes=call_bytes(run, device))
        for name, run in runs.items()
    }


def _row(found: dict[str, dict[str, Any]]) -> list[str]:
    ours, compiled = found['ours'], found.get('compiled')
    cells = [significant(1e3 * statistics.median(ours['seconds']))]
    memory = [ours['peak_bytes']]
    if compiled is None:
        cells += ['', '']
    else:
        cells.append(significant(1e3 * statistics.median(compiled['seconds'])))
        ratios = [a / b for a, b in zip(ours['seconds'], compiled['seconds'])]
        cells.append(spread(ratios))
        memory.append(compiled['peak_bytes'])
    text = ' / '.join('?' if size is None else f'{size / 2**20:.0f}' for size in memory)
    return [*cells, text]


def _cases(device: torch.device) -> dict[str, Call]:
    """Returns calls at the sizes of a Mask R-CNN on COCO, and of DCN and DINO."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator).to(device)

    def boxes(number: int) -> Tensor:
        # Proposals as an RPN gives them, twenty around each object.
        objects = -(-number // 20)
        centres = random(objects, 2) * torch.tensor([1333.0, 800.0], device=device)
        sides = (random(objects, 2) * 3 + 3).exp()
        found = torch.cat((centres - sides / 2, centres + sides / 2), 1)
        found = found.repeat(20, 1)[:number]
        return found + (random(number, 4) - 0.5) * 16

    cases: dict[str, Call] = {
        f'nms, {number:,} boxes': _nms(boxes(number), random(number))
        for number in (1000, 5000, 9000)
    }
    maps = random(2, 256, 200, 336)
    small = boxes(1000)
    small[:, 2:] = small[:, :2] + (small[:, 2:] - small[:, :2]).clamp(4, 112)
    images = (torch.arange(1000, device=device) % 2)[:, None]
    rois = torch.cat((images, small), 1)
    cases['RoIAlign, 1,000 boxes'] = _roi_align(maps, rois, 7, backward=False)
    cases['RoIAlign, forward and backward'] = _roi_align(maps, rois, 7, backward=True)
    x, offset = random(1, 256, 50, 84), random(1, 18, 50, 84) * 4 - 2
    weight, mask = random(256, 256, 3, 3), random(1, 9, 50, 84)
    cases['modulated deformable convolution'] = _deform_conv(x, weight, offset, mask)
    return cases


def _nms(boxes: Tensor, scores: Tensor) -> Call:
    return lambda module: module.nms(boxes, scores, iou_threshold=0.7, offset=0)


def _roi_align(maps: Tensor, rois: Tensor, side: int, backward: bool) -> Call:
    sizes = dict(aligned_height=side, aligned_width=side, spatial_scale=0.25)
    rest = dict(sampling_ratio=0, pool_mode=1, aligned=True)

    def call(module: Any) -> None:
        none = maps.new_zeros(0)
        out = maps.new_zeros(len(rois), maps.shape[1], side, side)
        module.roi_align_forward(maps, rois, out, none, none, **sizes, **rest)
        if backward:
            grad = torch.zeros_like(maps)
            module.roi_align_backward(out, rois, none, none, grad, **sizes, **rest)

    return call


def _deform_conv(x: Tensor, weight: Tensor, offset: Tensor, mask: Tensor) -> Call:
    sizes = dict(kernel_h=3, kernel_w=3, stride_h=1, stride_w=1, pad_h=1, pad_w=1)
    rest = dict(dilation_h=1, dilation_w=1, group=1, deformable_group=1)

    def call(module: Any) -> None:
        none, out = x.new_zeros(0), torch.empty_like(x)
        layout = dict(**sizes, **rest, with_bias=False)
        module.modulated_deform_conv_forward(
            x, weight, none, none, offset, mask, out, x.new_zeros(0), **layout
        )
        gradients = [torch.zeros_like(t) for t in (x, weight, none, offset, mask)]
        module.modulated_deform_conv_backward(
            *(x, weight, none, none, offset, mask, x.new_zeros(0)),
            *gradients,
            out,
            **layout,
        )

    return call
