"""What is trained on the digits."""

from collections.abc import Sequence
from typing import NamedTuple

from ...engine import config_path
from ..paper_rows import DETECTORS, check_names, load_member_rows

DATA, SCENES_DATA = 'digits', 'digits_scenes'  # folders below data/
ATTENTION = {'': 'plain', '_se': 'SE', '_eca': 'ECA'}
# Seeds of the rows of each detector.
DETECTOR_SEEDS = dict(mask_rcnn=6, faster_rcnn=3, retinanet=3)
MEMBER_SEEDS = 5
RETROFIT_SEEDS = 5
SCENE_SEEDS = 6
DETECTOR_METRICS = tuple(
    f'coco/{task}_{column}'
    for task in ('bbox', 'segm')
    for column in ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
)
CLASSIFIER_METRICS = ('top1', 'top5')


class SmallRow(NamedTuple):
    """A network that is trained on the digits with several seeds.

    Attributes:
        name (str): Name of its config in ``configs/digits``.
        group (str): What it is compared in: 'Mask R-CNN', say.
        label (str): What it is called there: 'ECA', say.
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
    def metrics(self) -> tuple[str, ...]:
        """Names of what may be measured of it, as the logs have them."""
        return CLASSIFIER_METRICS if self.is_classifier else DETECTOR_METRICS


MEMBERS = 'Table 2'
RETROFIT = 'Retrofit'
SCENES = 'Mask R-CNN in scenes'
SCENE_CLASSIFIERS = 'Classifiers in scenes'


def small_rows(names: Sequence[str] = ()) -> list[SmallRow]:
    """The rows: detectors of Tables 5 and 6, the retrofit, members of Table 2, scenes.

    Args:
        names (Sequence[str]): Names of the wanted ones; empty for all.

    Raises:
        UserError: If there is no row of a name.
    """
    all_rows = (*_detectors(), *_retrofit(), *_members(), *_scenes())
    rows = {row.name: row for row in all_rows}
    check_names(names, rows)
    return [row for name, row in rows.items() if not names or name in names]


def _detectors() -> list[SmallRow]:
    return [
        SmallRow(
            f'{detector}{attention}_r50_digits',
            DETECTORS[detector],
            label,
            f'{detector}_r50_digits',
            f'{attention[1:]}_resnet50_digits'.lstrip('_'),
            seeds,
        )
        for detector, seeds in DETECTOR_SEEDS.items()
        for attention, label in ATTENTION.items()
    ]


def _retrofit() -> list[SmallRow]:
    """A trained plain detector goes on, without attention and with it."""
    return [
        SmallRow(
            f'mask_rcnn{attention}_r50_finetune_digits',
            RETROFIT,
            label,
            'mask_rcnn_r50_finetune_digits',
            'mask_rcnn_r50_digits',
            RETROFIT_SEEDS,
        )
        for attention, label in ATTENTION.items()
    ]


def _members() -> list[SmallRow]:
    rows = [
        SmallRow(
            f'{member.name}_digits',
            MEMBERS,
            'plain' if member.name == 'resnet50' else member.member,
            'resnet50_digits',
            None,
            MEMBER_SEEDS,
        )
        for member in load_member_rows()
    ]
    # The detectors start from ECA with the kernel sizes of the authors' ResNet-50.
    adaptive = rows[-1]._replace(
        name='eca_resnet50_digits', label='ECA, k = 3, 5, 5, 7'
    )
    rows[-1] = rows[-1]._replace(label='ECA, k = 3')
    return [*rows, adaptive]


def _scenes() -> list[SmallRow]:
    """Where an image as a whole says something about its digits."""
    rows = []
    for attention, label in ATTENTION.items():
        backbone = f'{attention[1:]}_resnet50_scenes'.lstrip('_')
        detector = SmallRow(
            f'mask_rcnn{attention}_r50_scenes',
            SCENES,
            label,
            'mask_rcnn_r50_scenes',
            backbone,
            SCENE_SEEDS,
            SCENES_DATA,
        )
        classifier = detector._replace(
            name=backbone,
            group=SCENE_CLASSIFIERS,
            plain='resnet50_scenes',
            starts_from=None,
        )
        rows += [detector, classifier]
    return rows
