"""What is trained on Digits-COCO, and the images that it is evaluated on.

A training watches 150 images. On these, the box AP of six trainings of Mask R-CNN had a
standard deviation of 1.0 %; on a thousand of 0.7 %, at the price of a minute a run.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..config_paths import config_path, tool_path
from .paper_rows import DETECTORS, check_names, imagenet_rows
from .work_dirs import METRICS

FOLDER = 'digits'  # of the work directories
DATA, SCENES_DATA = 'digits', 'digits_scenes'  # folders below data/
IMAGES = 1000  # that a detector is evaluated on
ATTENTION = {'': 'plain', '_se': 'SE', '_eca': 'ECA'}
MEMBERS = 'Table 2'
RETROFIT = 'Retrofit'
SCENES = 'Mask R-CNN in scenes'
SCENE_CLASSIFIERS = 'Classifiers in scenes'
# The task and the column of a metric, by its name in the logs.
CLASSIFIER_METRICS = {'top1': ('accuracy', 'top-1'), 'top5': ('accuracy', 'top-5')}
DETECTOR_METRICS = {
    f'coco/{task}_{metric}': (title, column)
    for task, title in (('bbox', 'box'), ('segm', 'mask'))
    for column, metric in METRICS.items()
}


class DigitsRow(NamedTuple):
    """A network that is trained on Digits-COCO with several seeds.

    Attributes:
        name (str): Name of its config in ``configs/digits``.
        group (str): The table that it is compared in: 'Mask R-CNN', say.
        label (str): Its name there: 'ECA', say.
        plain (str): Name of the row of the group without attention.
        starts_from (str, optional): Name of the row whose weights it starts from:
            a classifier's backbone, or a detector; None for none.
        seeds (int): How many seeds the table has of it, from 0 on.
        data (str): The folder of its data set, below ``data/``.
    """

    name: str
    group: str
    label: str
    plain: str
    starts_from: str | None
    seeds: int
    data: str = DATA

    @property
    def config(self) -> str:
        """Path of its config."""
        return config_path(f'digits/{self.name}.py')

    @property
    def is_classifier(self) -> bool:
        """Whether it tells digits apart, else it detects them."""
        return self.group in (MEMBERS, SCENE_CLASSIFIERS)

    @property
    def metrics(self) -> dict[str, tuple[str, str]]:
        """Task and column of what may be measured, by its name in the logs."""
        return CLASSIFIER_METRICS if self.is_classifier else DETECTOR_METRICS

    @property
    def evaluation_data(self) -> str:
        """The folder with the images; the first 150 are those of its data set."""
        return f'data/{self.data}_{IMAGES}'

    def data_options(self) -> list[str]:
        """Returns what ``--cfg-options`` gets to evaluate on them."""
        folder = self.evaluation_data
        return [
            f'test_dataloader.dataset.data_root={folder}/',
            f'test_evaluator.ann_file={folder}/annotations/instances_val.json',
        ]


def digits_rows(names: Sequence[str] = ()) -> list[DigitsRow]:
    """Returns the rows: detectors of Tables 5 and 6, retrofit, Table 2 and scenes.

    Args:
        names (Sequence[str]): Names of the wanted ones; empty for all.

    Raises:
        UserError: If there is no row of a name.
    """
    rows = [
        *_attention_rows(DETECTORS['mask_rcnn'], 'mask_rcnn{}_r50_digits', 6),
        *_attention_rows(DETECTORS['faster_rcnn'], 'faster_rcnn{}_r50_digits', 3),
        *_attention_rows(DETECTORS['retinanet'], 'retinanet{}_r50_digits', 3),
        # A trained plain detector continues, without attention and with it.
        *_attention_rows(
            RETROFIT, 'mask_rcnn{}_r50_finetune_digits', 5, 'mask_rcnn_r50_digits'
        ),
    ]
    labels = {member.name: member.method for member in imagenet_rows([2])}
    labels |= {'resnet50': 'plain', 'eca_k3_resnet50': 'ECA, k = 3'}
    # The detectors start from ECA with the kernel sizes of the authors' ResNet-50.
    labels['eca_resnet50'] = 'ECA, k = 3, 5, 5, 7'
    rows += [
        DigitsRow(f'{name}_digits', MEMBERS, label, 'resnet50_digits', None, 5)
        for name, label in labels.items()
    ]
    # Where an image as a whole says something about its digits.
    scenes = _attention_rows(SCENES, 'mask_rcnn{}_r50_scenes', 6, data=SCENES_DATA)
    rows += scenes
    rows += [
        row._replace(
            name=str(row.starts_from),
            group=SCENE_CLASSIFIERS,
            plain='resnet50_scenes',
            starts_from=None,
        )
        for row in scenes
    ]
    by_name = {row.name: row for row in rows}
    check_names(names, by_name)
    return [row for name, row in by_name.items() if not names or name in names]


def _attention_rows(
    group: str,
    pattern: str,
    seeds: int,
    starts_from: str | None = None,
    data: str = DATA,
) -> list[DigitsRow]:
    """Returns the rows without attention, with SE and with ECA."""
    scene = 'scenes' if data == SCENES_DATA else 'digits'
    return [
        DigitsRow(
            pattern.format(attention),
            group,
            label,
            pattern.format(''),
            starts_from or f'{attention[1:]}_resnet50_{scene}'.lstrip('_'),
            seeds,
            data,
        )
        for attention, label in ATTENTION.items()
    ]


def data_commands(rows: Iterable[DigitsRow]) -> list[list[str]]:
    """Returns the commands that make or check the data sets that these rows need."""
    commands = []
    for row in rows:
        words = ['python', tool_path('make_digits.py'), '--out']
        scenes = ['--scenes'] if row.data == SCENES_DATA else []
        commands.append([*words, f'data/{row.data}', *scenes])
        if not row.is_classifier:
            sizes = ('--num-train', '1', '--num-val', str(IMAGES))
            commands.append([*words, row.evaluation_data, *sizes, *scenes])
    return [list(words) for words in dict.fromkeys(map(tuple, commands))]
