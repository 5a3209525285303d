"""On what the trained detectors are evaluated.

A training watches 150 images. On these, the box AP of six trainings of Mask R-CNN had a
standard deviation of 1.0 %; on a thousand of 0.7 %, at the price of a minute a run.
"""

from collections.abc import Iterable

from ...engine import tool_path
from ..runs import Run, read_run
from .rows import SCENES_DATA, SmallRow

IMAGES = 1000


def evaluation_data(row: SmallRow) -> str:
    """The folder with the images; the first 150 are those of the row's data set."""
    return f'data/{row.data}_{IMAGES}'


def data_commands(rows: Iterable[SmallRow]) -> list[list[str]]:
    """Makes what these rows need, or checks that what is there has these settings."""
    commands = []
    for row in rows:
        words = ['python', tool_path('make_digits.py'), '--out']
        scenes = ['--scenes'] if row.data == SCENES_DATA else []
        commands.append([*words, f'data/{row.data}', *scenes])
        if not row.is_classifier:
            sizes = ('--num-train', '1', '--num-val', str(IMAGES))
            commands.append([*words, evaluation_data(row), *sizes, *scenes])
    return [list(words) for words in dict.fromkeys(map(tuple, commands))]


def data_options(row: SmallRow) -> list[str]:
    """What ``--cfg-options`` gets to evaluate on them."""
    return [
        f'test_dataloader.dataset.data_root={evaluation_data(row)}/',
        f'test_evaluator.ann_file={evaluation_data(row)}/annotations/instances_val.json',
    ]


def read_small_run(work_dir: str, row: SmallRow) -> Run | None:
    """Reads the work directory of a run; see :func:`read_run`.

    Results of a detector on other images do not count: then it is 'unevaluated'.
    """
    run = read_run(work_dir)
    if row.is_classifier or run is None or run.state != 'finished':
        return run
    if (run.data_root or '').rstrip('/') != evaluation_data(row):
        run.state = 'unevaluated'
        run.problem = (
            f'is not evaluated on {evaluation_data(row)}: test {run.checkpoint()}'
        )
    return run
