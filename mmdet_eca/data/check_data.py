"""Checks a data set, and the validation set beside it."""

import os.path as osp
import tempfile
from collections.abc import Sequence

import numpy as np
from mmengine.config import Config

from ..config_paths import find_config
from ..errors import UserError
from ..training.outputs import check_new_file
from .anchors import Anchors, anchors_of, test_pipeline
from .before_run import find_missing_masks
from .coco_file import CocoFile, read_coco_file, write_lists
from .evaluation import find_problem
from .findings import ERROR, Findings
from .images import ImageFile, check_folder, check_images
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
        Report: What was found; ``str`` of it is the text for people.

    Raises:
        UserError: If a file is no annotation file, the folder does not exist, an
            output exists or cannot be written, or the config has no test scale.
    """
    for out in (json_file, picture):
        if out is not None:
            check_new_file(out)
    if picture and not picture.endswith('.png'):
        raise UserError(f'--picture must end in .png, got {picture}')
    pairs = [(annotations, images), *([(val[0], val[1])] if val else [])]
    pairs = [(osp.expanduser(one), osp.expanduser(two)) for one, two in pairs]
    for _, folder in pairs:
        check_folder(folder)
    cfg = None if config is None else Config.fromfile(find_config(config))
    anchors = anchors_of(cfg, config or '')
    checked = [
        _check(*pair, anchors, cfg, evaluates=pair is pairs[-1]) for pair in pairs
    ]
    if val:
        (train, *_), (val_data, _, findings, _) = checked
        find_other_classes(train, val_data, findings)
        train_images, val_images = ((one, two, four) for one, two, _, four in checked)
        find_same_images(train_images, val_images, findings)
    report = Report([(one, two, three) for one, two, three, _ in checked], anchors)
    if json_file:
        report.write_json(json_file)
    if picture:
        data = checked[0][0]
        sizes = anchors.object_sizes(data)
        draw_data(data, sizes, anchors.sizes, anchors.scale, picture)
    return report


def find_evaluation_problem(
    data: CocoFile, folder: str, findings: Findings, cfg: Config | None = None
) -> None:
    """Adds what goes wrong when its own annotations are evaluated as detections.

    Args:
        data (CocoFile): The annotation file; up to 1,000 of its images are taken.
        folder (str): The folder that its file names are relative to.
        findings (Findings): Gets what is found; nothing is tried if it has an error.
        cfg (Config, optional): A config, whose evaluator is taken; by default
            ``CocoMetric``.
    """
    if findings.of_severity(ERROR):
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
            data_prefix=dict(img=folder),
            metainfo=dict(classes=data.classes),
            test_mode=True,
        )
        sample = read_coco_file(path, needs_objects=False)
        for metric in metrics if isinstance(metrics, (list, tuple)) else [metrics]:
            if 'CocoMetric' in str(metric['type']) and not metric.get('format_only'):
                metric = dict(metric, ann_file=path)
                if problem := find_problem(sample, dataset, metric, len(places)):
                    problem = problem.replace(path, data.path)
                    findings.add(
                        'evaluation-fails', sample.image_ids, count, [f'they {problem}']
                    )


def _check(
    path: str, folder: str, anchors: Anchors, cfg: Config | None, evaluates: bool
) -> tuple[CocoFile, str, Findings, list[ImageFile | None]]:
    data = read_coco_file(path, evaluates=evaluates)
    findings = check_objects(data)
    anchors.find_small_objects(data, findings)
    pipeline = None if cfg is None else test_pipeline(cfg)
    if any(step.get('with_mask') for step in pipeline or []):
        find_missing_masks(data, findings)
    files = check_images(data, folder, findings, pipeline=pipeline)
    if evaluates:
        find_evaluation_problem(data, folder, findings, cfg)
    return data, folder, findings, files
