"""The detectors of Tables 5 and 6 on photographs, from released ImageNet weights.

EfficientNet-Lite0 stands for the ResNets, since a package brings its weights. Attention
starts as the identity.
"""

from .paper_rows import DETECTORS
from .rows import Row, Study

SEEDS = 3


def photographs_rows() -> list[Row]:
    """Returns the rows: plain, SE and ECA of two detectors on BCCD, one on nuclei."""
    return [
        Row(
            f'{detector}_{attention}lite0_{data}',
            folder='photographs',
            is_classifier=False,
            fields=dict(
                name=f'{detector}_{attention}lite0_{data}',
                group=f'{DETECTORS[detector]} on {title}',
                label=label,
            ),
            seeds=SEEDS,
            plain=f'{detector}_lite0_{data}',
        )
        for detector, data, title in (
            ('faster_rcnn', 'bccd', 'BCCD'),
            ('retinanet', 'bccd', 'BCCD'),
            ('mask_rcnn', 'nuclei', 'nuclei'),
        )
        for attention, label in (('', 'plain'), ('se_', 'SE'), ('eca_', 'ECA'))
    ]


PHOTOGRAPHS = Study('photographs', 'photographs', photographs_rows)
