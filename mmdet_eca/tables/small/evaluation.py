"""On what the trained detectors are evaluated.

A training watches 150 images. On these, the box AP of six trainings of Mask R-CNN had a
standard deviation of 1.0 %; on a thousand of 0.7 %, at the price of a minute a run.
"""

from typing import Optional

from ...engine import tool_path
from ..runs import Run, read_run
from .rows import SmallRow

IMAGES = 1000
# Its first 150 validation images are those of data/digits.
DATA = f'data/digits_{IMAGES}'


def data_command() -> list[str]:
    """Makes the images, or checks that those that are there have these settings."""
    sizes = ('--num-train', '1', '--num-val', str(IMAGES))
    return ['python', tool_path('make_digits.py'), '--out', DATA, *sizes]


def data_options() -> list[str]:
    """What ``--cfg-options`` gets to evaluate on them."""
    return [
        f'test_dataloader.dataset.data_root={DATA}/',
        f'test_evaluator.ann_file={DATA}/annotations/instances_val.json',
    ]


def read_small_run(work_dir: str, row: SmallRow) -> Optional[Run]:
    """Reads the work directory of a run; see :func:`read_run`.

    Results of a detector on other images do not count: then it is 'unevaluated'.
    """
    run = read_run(work_dir)
    if row.is_classifier or run is None or run.state != 'finished':
        return run
    if (run.data_root or '').rstrip('/') != DATA:
        run.state = 'unevaluated'
        run.problem = f'is not evaluated on {DATA}: test {run.checkpoint()}'
    return run
