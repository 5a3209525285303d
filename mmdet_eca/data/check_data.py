"""Checks a data set, and the validation set beside it."""

import os.path as osp
import tempfile
from collections.abc import Sequence

import numpy as np
from mmengine.config import Config

from ..config_paths import find_config
from ..errors import UserError
from ..training.outputs import check_new_file
from .anchors import anchors_of, test_pipeline
from .before_run import find_missing_masks
from .coco_file import CocoFile, read_coco_file, write_lists
from .evaluation import find_problem
from .images import check_folder, check_images
from .kinds import ERROR
from .objects import check_objects, find_other_classes
from .picture import draw_data
from .report import Report
from .same_images import find_same_images

_EVALUATED = 1000  # images


def check_data(
    annotations: str,
    images: str,
    val: Sequence[str] | None = None,
    config: str | None = None,
    json_file: str | None = None,
    picture: str | None = None,
) -> Report:
    """Checks a whole data set in COCO's format: annotations and every image.

    The last of the sets is evaluated with its own annotations as detections.

    Args:
        annotations (str): COCO annotation file.
        images (str): The folder that its file names are relative to.
        val (Sequence[str], optional): Annotation file and folder of the validation
            set; it is checked, too, and compared with the training set.
        config (str, optional): A detector's config, whose anchors and test scale tell
            which objects are small, whose pipeline reads the images and whose evaluator
            is tried; by default Faster R-CNN's.
        json_file (str, optional): A file to write the report into.
        picture (str, optional): A file to draw the data into, as PNG.

    Returns:
        Report: The findings; ``str`` of it is the text for people.

    Raises:
        UserError: If a file is no annotation file, the folder does not exist, an
            output exists or cannot be written, or the config has no test scale.
    """
    for out in (json_file, picture):
        if out is not None:
            check_new_file(out)
    if picture and not picture.endswith('.png'):
        raise UserError(f'--picture must end in .png, got {picture}')
    sets = [(annotations, images), *([(val[0], val[1])] if val else [])]
    sets = [(osp.expanduser(one), osp.expanduser(two)) for one, two in sets]
    for _, folder in sets:
        check_folder(folder)
    cfg = None if config is None else Config.fromfile(find_config(config))
    anchors = anchors_of(cfg, config or '')
    checked = []
    for path, folder in sets:
        evaluates = (path, folder) == sets[-1]
        data = read_coco_file(path, evaluates=evaluates, folder=folder)
        check_objects(data)
        anchors.find_small_objects(data)
        pipeline = None if cfg is None else test_pipeline(cfg)
        find_missing_masks(data, pipeline or [])
        check_images(data, pipeline=pipeline)
        if evaluates:
            find_evaluation_problem(data, cfg)
        checked.append(data)
    if val:
        find_other_classes(*checked)
        find_same_images(*checked)
    report = Report(checked, anchors)
    if json_file:
        with open(json_file, 'x', encoding='utf-8') as file:
            file.write(report.to_json() + '\n')
    if picture:
        sizes = anchors.object_sizes(checked[0])
        draw_data(checked[0], sizes, anchors.sizes, anchors.scale, picture)
    return report


def find_evaluation_problem(data: CocoFile, cfg: Config | None = None) -> None:
    """Evaluates a file's own annotations as detections, and adds what goes wrong.

    Args:
        data (CocoFile): The annotation file; up to 1,000 of its images are taken, none
            if there is an error already.
        cfg (Config, optional): A config, whose evaluator is taken; by default
            ``CocoMetric``.
    """
    if data.findings.of_severity(ERROR):
        return
    count = len(data.image_ids)
    places = np.linspace(0, count - 1, min(count, _EVALUATED)).round().astype(int)
    chosen = set(places.tolist())
    metrics = (cfg and (cfg.get('val_evaluator') or cfg.get('test_evaluator'))) or dict(
        type='CocoMetric', metric=['bbox', 'segm'] if data.has_masks else ['bbox']
    )
    with tempfile.TemporaryDirectory() as temporary:
        path = osp.join(temporary, 'sample.json')
        write_lists(
            path,
            images=[data.lists.images[i] for i in places],
            annotations=[
                raw
                for raw, i in zip(data.lists.annotations, data.images.tolist())
                if i in chosen
            ],
            categories=data.lists.categories,
        )
        dataset = dict(
            type='mmdet.CocoDataset',
            ann_file=path,
            data_prefix=dict(img=data.folder),
            metainfo=dict(classes=data.classes),
            test_mode=True,
        )
        sample = read_coco_file(path, needs_objects=False)
        for metric in metrics if isinstance(metrics, (list, tuple)) else [metrics]:
            if 'CocoMetric' in str(metric['type']) and not metric.get('format_only'):
                metric = dict(metric, ann_file=path)
                if problem := find_problem(sample, dataset, metric, len(places)):
                    problem = problem.replace(path, data.path)
                    ids, example = sample.image_ids, f'they {problem}'
                    data.findings.add('evaluation-fails', ids, count, [example])
