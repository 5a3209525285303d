"""Quick data checks that run before each training and test."""

import os.path as osp
import shlex
from collections.abc import Sequence

from .coco_file import CocoFile, read_coco_file
from .images import check_images
from .objects import check_objects

WHOLE = 10 * 2**20  # bytes of a file that is read whole, in about half a second
OBJECTS = 5000  # read from a larger file
IMAGES = 100  # that are opened


def quick_check(
    path: str, folder: str, trains: bool = True, pipeline: Sequence[dict] | None = None
) -> CocoFile:
    """Refuses a data set that cannot be trained or evaluated with.

    All images must exist, and 100 of them are read. Of an annotation file of more
    than 10 MB all images and categories, and the first 5,000 objects are read.

    Args:
        path (str): A COCO annotation file.
        folder (str): The folder that its file names are relative to.
        trains (bool): Whether a detector is trained with it, which needs objects. A
            test set may have none.
        pipeline (Sequence[dict], optional): The config's pipeline: its reader reads the
            images, and tells whether the objects need masks.

    Returns:
        CocoFile: What was read.

    Raises:
        UserError: If there is an error.
    """
    first = None if osp.isfile(path) and osp.getsize(path) <= WHOLE else OBJECTS
    data = read_coco_file(path, trains, not trains, first, folder)
    check_objects(data, all_objects=first is None)
    if trains:
        find_missing_masks(data, pipeline or [])
    check_images(data, IMAGES, pipeline)
    command = shlex.join(['mmdet-eca', 'check-coco', path, folder])
    data.findings.refuse_errors(f'. To see all: {command}')
    return data


def find_missing_masks(data: CocoFile, pipeline: Sequence[dict]) -> None:
    """Adds the objects without a segmentation, if a pipeline loads masks."""
    if any(step.get('with_mask') for step in pipeline):
        without = (data.is_loaded & ~data.has_mask).nonzero()[0]
        data.findings.add('no-mask', [data.ids[i] for i in without], len(data.ids))
