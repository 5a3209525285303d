"""The columns of Table 3: what the paper's ImageNet classifiers cost."""

import sys
from typing import Any, Dict, List

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.utils import track_iter_progress
from terminaltables import AsciiTable

from ..engine import config_path
from .classifier_complexity import classifier_complexity

# #Param and FLOPs in the paper's units, 2^20 and 2^30; ECA-18 and ECA-34 are in
# the authors' repository. MobileNetV2's operations, there in units of 2^20,
# count the product and the sum in the last layer each.
PAPER = {
    'resnet50': (24.37, 3.86),
    'se_resnet50': (26.77, 3.87),
    'eca_resnet50': (24.37, 3.86),
    'resnet101': (42.49, 7.34),
    'se_resnet101': (47.01, 7.35),
    'eca_resnet101': (42.49, 7.35),
    'resnet152': (57.40, 10.82),
    'se_resnet152': (63.68, 10.85),
    'eca_resnet152': (57.40, 10.83),
    'eca_resnet18': (11.15, 1.70),
    'eca_resnet34': (20.79, 3.43),
    'mobilenetv2': (3.34, 319.4 / 1024),
    'se_mobilenetv2': (3.40, 320.1 / 1024),
    'eca_mobilenetv2': (3.34, 319.9 / 1024),
}


def classifier_rows() -> List[Dict[str, Any]]:
    """Counts the classifiers of Table 3; shows its progress on stderr.

    Returns:
        list[dict]: As :func:`complexity_rows`, in units of 2^20 and 2^30.
    """
    init_default_scope('mmdet')
    rows = []
    for name, paper in track_iter_progress(list(PAPER.items()), file=sys.stderr):
        cfg = Config.fromfile(config_path(f'imagenet/{name}.py'))
        parameters, operations = classifier_complexity(cfg.model)
        if 'mobilenet' in name:
            operations += cfg.model.in_channels * cfg.model.num_classes
        row = dict(table=3, name=name)
        for key, value, theirs in (
            ('params_m', parameters / 2**20, paper[0]),
            ('gflops', operations / 2**30, paper[1]),
        ):
            row[key] = round(value, 6)
            row[f'paper_{key}'] = round(theirs, 6)
            row[f'diff_{key}'] = round(value - theirs, 6)
        rows.append(row)
    print(file=sys.stderr)
    return rows


def classifier_text(rows: List[Dict[str, Any]]) -> str:
    """A table of the counted classifiers."""
    cells = [
        [
            'Table 3',
            '#Param (2^20)',
            'paper',
            'difference',
            'FLOPs (2^30)',
            'paper',
            'difference',
        ]
    ]
    for row in rows:
        digits = 4 if 'mobilenet' in row['name'] else 2
        cells.append(
            [row['name']]
            + [
                f'{row[prefix + key]:{sign}.{places}f}'
                for key, places in (('params_m', 2), ('gflops', digits))
                for prefix, sign in (('', ''), ('paper_', ''), ('diff_', '+'))
            ]
        )
    table = AsciiTable(cells)
    table.justify_columns = dict.fromkeys(range(1, 7), 'right')
    return table.table
