import json
from typing import Dict, List, Sequence


def draw_curves(scalars_files: Sequence[str], out_file: str) -> None:
    """Plots the loss and the COCO AP of a run over its iterations.

    Args:
        scalars_files (Sequence[str]): ``vis_data/scalars.json`` of the run and
            of those that it resumed, in order; one JSON object a line.
        out_file (str): The picture to write.
    """
    import matplotlib  # half a second to import

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    rows = []
    for scalars_file in scalars_files:
        with open(scalars_file) as file:
            rows += [json.loads(line) for line in file]
    losses, results = [], []
    for row in rows:
        if 'loss' in row:
            losses.append(row)
        elif losses:  # a validation, at the iteration that training has reached
            results.append(dict(row, iter=losses[-1]['iter']))

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5))
    names = [n for n in losses[-1] if n.startswith('loss')]
    for name in sorted(names, key=lambda name: -losses[0][name]):
        _plot(left, losses, name, name, linewidth=2 if name == 'loss' else 1)
    left.set(title='training loss', xlabel='iteration', yscale='log')
    for task, label in (('bbox', 'box'), ('segm', 'mask')):
        for metric, style in (('mAP', '-'), ('mAP_50', '--'), ('mAP_75', ':')):
            key = f'coco/{task}_{metric}'
            if any(key in row for row in results):
                _plot(
                    right,
                    results,
                    key,
                    f'{label} {metric[1:].replace("_", "")}',
                    linestyle=style,
                    marker='.',
                    color='tab:blue' if task == 'bbox' else 'tab:orange',
                )
    right.set(title='validation AP', xlabel='iteration', ylim=(0, 1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize='small')
    figure.tight_layout()
    figure.savefig(out_file, dpi=120)
    plt.close(figure)


def _plot(axes, rows: List[Dict], key: str, label: str, **style) -> None:
    points = [(row['iter'], row[key]) for row in rows if key in row]
    axes.plot(*zip(*points), label=label, **style)
