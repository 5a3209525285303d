import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .inferencer import Inferencer
from .prediction import detect_and_draw
from .results import CocoResults
from .sources import open_source


def benchmark_predict(
    config: str,
    checkpoint: str,
    inputs: Sequence[str],
    batch_size: int = 1,
    rounds: int = 3,
    device: str | None = None,
) -> str:
    """Measures what predicting costs beside the network alone.

    The network alone is ``test_step`` over batches that were read and prepared
    before; its post-processing is part of it. Both take turns, on the same threads.

    Args:
        config (str): The detector's config.
        checkpoint (str): Its weights.
        inputs (Sequence[str]): Images; all of them are held in memory.
        batch_size (int): Images that the detector gets at once.
        rounds (int): Of each.
        device (str, optional): As for :func:`predict`.

    Returns:
        str: The medians of wall-clock and CPU time, and their ratios.
    """
    inferencer = Inferencer(config, checkpoint, device)
    source = open_source(inputs)
    classes = inferencer.model.dataset_meta['classes']
    prepared = [
        inferencer.pipeline(source.read(index, inferencer.read))
        for index in range(len(source))
    ]

    def network() -> None:
        for start in range(0, len(prepared), batch_size):
            inferencer.detect(prepared[start : start + batch_size])

    def whole() -> None:
        results = CocoResults(inferencer.cfg, classes, source)
        with tempfile.TemporaryDirectory() as out:
            detect_and_draw(inferencer, source, results, out, batch_size=batch_size)
            results.write(out)

    inferencer.detect(prepared[:1])
    measured: dict[str, list[_Times]] = dict(network=[], whole=[])
    for _ in range(rounds):
        measured['network'].append(_measure(network))
        measured['whole'].append(_measure(whole))
    alone, all_of_it = map(_median, measured.values())
    return (
        f'{len(source)} images, medians of {rounds} rounds:\n'
        f'the network alone: {alone.wall:.1f} s, {alone.cpu:.1f} s of CPU time\n'
        f'predict: {all_of_it.wall:.1f} s, {all_of_it.cpu:.1f} s of CPU time, '
        f'{all_of_it.cpu / all_of_it.wall:.2f} cores busy\n'
        f'predict / network: {all_of_it.wall / alone.wall:.3f}, CPU time '
        f'{all_of_it.cpu / alone.cpu:.3f}'
    )


class _Times(NamedTuple):
    wall: float  # seconds
    cpu: float  # seconds of all threads


def _measure(function: Callable[[], None]) -> _Times:
    with contextlib.redirect_stderr(io.StringIO()):  # the progress bar
        start = _Times(time.perf_counter(), time.process_time())
        function()
        end = _Times(time.perf_counter(), time.process_time())
    return _Times(end.wall - start.wall, end.cpu - start.cpu)


def _median(times: list[_Times]) -> _Times:
    return _Times(*map(statistics.median, zip(*times)))
