"""The rows on Digits-COCO: the paper's, with networks of a quarter of the width.

A training watches 150 images. On these, the box AP of six trainings of Mask R-CNN had a
standard deviation of 1.0 %; on a thousand of 0.7 %, at the price of a minute a run.
"""

from dataclasses import replace

from ..config_paths import tool_path
from .paper_rows import DETECTORS, paper_rows
from .rows import Row, Study

IMAGES = 1000  # that a detector is evaluated on
ATTENTION = {'': 'plain', '_se': 'SE', '_eca': 'ECA'}


def digits_rows() -> list[Row]:
    """Returns the rows: detectors of Tables 5 and 6, retrofit, Table 2 and scenes."""
    labels = {row.name: row.method for row in paper_rows([2])}
    labels |= {'resnet50': 'plain', 'eca_k3_resnet50': 'ECA, k = 3'}
    # The detectors start from ECA with the kernel sizes of the authors' ResNet-50.
    labels['eca_resnet50'] = 'ECA, k = 3, 5, 5, 7'
    table_2 = [
        _row(f'{name}_digits', 'Table 2', label, 'resnet50_digits', 5)
        for name, label in labels.items()
    ]
    mask_rcnn = _detectors('Mask R-CNN', 'mask_rcnn{}_r50_digits', 6, table_2)
    # A trained plain detector continues, without attention and with it.
    retrofit = [
        replace(row, starts_from=mask_rcnn[0])
        for row in _detectors('Retrofit', 'mask_rcnn{}_r50_finetune_digits', 5, table_2)
    ]
    # Where an image as a whole says something about its digits.
    scene_classifiers = [
        _row(f'{name}_scenes', 'Classifiers in scenes', label, 'resnet50_scenes', 6)
        for name, label in (
            (f'{attention}_resnet50'.lstrip('_'), label)
            for attention, label in ATTENTION.items()
        )
    ]
    return [
        *mask_rcnn,
        *(
            row
            for name in ('faster_rcnn', 'retinanet')
            for row in _detectors(DETECTORS[name], name + '{}_r50_digits', 3, table_2)
        ),
        *retrofit,
        *table_2,
        *_detectors(
            'Mask R-CNN in scenes', 'mask_rcnn{}_r50_scenes', 6, scene_classifiers
        ),
        *scene_classifiers,
    ]


DIGITS = Study('digits', 'Digits-COCO', digits_rows)


def _detectors(
    group: str, pattern: str, seeds: int, classifiers: list[Row]
) -> list[Row]:
    """Returns the rows without attention, with SE and with ECA.

    Each starts from the backbone of the classifier with its attention.
    """
    starts = {row.name.rpartition('_')[0]: row for row in classifiers}
    return [
        replace(
            _row(pattern.format(key), group, label, pattern.format(''), seeds),
            starts_from=starts[f'{key}_resnet50'.lstrip('_')],
        )
        for key, label in ATTENTION.items()
    ]


def _row(name: str, group: str, label: str, plain: str, seeds: int) -> Row:
    in_scenes = name.endswith('_scenes')
    data = 'data/digits_scenes' if in_scenes else 'data/digits'
    scenes = ('--scenes',) if in_scenes else ()
    make = ('python', tool_path('make_digits.py'), '--out')
    commands = [(*make, data, *scenes)]
    is_classifier = 'rcnn' not in name and 'retinanet' not in name
    evaluation_data = None
    if not is_classifier:  # the first 150 of the images are those of its data set
        evaluation_data = f'{data}_{IMAGES}'
        sizes = ('--num-train', '1', '--num-val', str(IMAGES))
        commands.append((*make, evaluation_data, *sizes, *scenes))
    return Row(
        name,
        folder='digits',
        is_classifier=is_classifier,
        fields=dict(name=name, group=group, label=label),
        seeds=seeds,
        plain=plain,
        data_commands=tuple(commands),
        evaluation_data=evaluation_data,
    )
