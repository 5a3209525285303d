"""Checks a data set, and the validation set beside it."""

import os.path as osp
from collections.abc import Sequence

from ..datasets import (
    CocoFile,
    Findings,
    ImageFile,
    check_folder,
    check_images,
    check_objects,
    find_other_classes,
    read_coco_file,
)
from ..errors import UserError
from ..visualization import draw_data
from .anchors import Anchors, anchors_of
from .both_sets import find_same_images
from .report import Report


def check_data(
    annotations: str,
    images: str,
    val: Sequence[str] | None = None,
    config: str | None = None,
    json_file: str | None = None,
    picture: str | None = None,
) -> Report:
    """Checks a whole data set in COCO's format: annotations and every image.

    Args:
        annotations (str): COCO annotation file.
        images (str): The folder that its file names are relative to.
        val (Sequence[str], optional): Annotation file and folder of the validation
            set; it is checked, too, and compared with the training set.
        config (str, optional): A detector's config, whose anchors and test scale tell
            which objects are small; by default Faster R-CNN's.
        json_file (str, optional): A file to write the report into.
        picture (str, optional): A file to draw the data into, as PNG.

    Returns:
        Report: What was found; ``str`` of it is the text for people.

    Raises:
        UserError: If a file is no annotation file, the folder does not exist, an
            output exists or cannot be written, or the config has no test scale.
    """
    for out in (json_file, picture):
        _check_out(out)
    if picture and not picture.endswith('.png'):
        raise UserError(f'--picture must end in .png, got {picture}')
    pairs = [(annotations, images), *([(val[0], val[1])] if val else [])]
    pairs = [(osp.expanduser(one), osp.expanduser(two)) for one, two in pairs]
    for _, folder in pairs:
        check_folder(folder)
    anchors = anchors_of(config)
    checked = [_check(path, folder, anchors) for path, folder in pairs]
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


def _check(
    path: str, folder: str, anchors: Anchors
) -> tuple[CocoFile, str, Findings, list[ImageFile | None]]:
    data = read_coco_file(path)
    findings = check_objects(data)
    anchors.find_small_objects(data, findings)
    files = check_images(data, folder, findings)
    return data, folder, findings, files


def _check_out(path: str | None) -> None:
    if path is None:
        return
    if osp.lexists(path):
        raise UserError(f'{path} exists: give another name, or remove it')
    folder = osp.dirname(path) or '.'
    if not osp.isdir(folder):
        raise UserError(f'folder {folder} of {path} does not exist: make it first')
