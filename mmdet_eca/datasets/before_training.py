"""The part of the checks that a training starts with."""

import os

from .coco_checks import check_objects
from .image_files import check_images
from .reading import read_coco_file, read_first_objects

WHOLE = 10 * 2**20  # bytes of a file that is read whole, in about half a second
OBJECTS = 5000  # of a larger file
IMAGES = 100  # that are opened


def quick_check(path: str, folder: str, trains: bool = True) -> None:
    """Refuses a data set that cannot be trained or evaluated with.

    All images must exist, and 100 of them are looked at. Of an annotation file of more
    than 10 MB all images and categories, and the first 5,000 objects are read.

    Args:
        path (str): A COCO annotation file.
        folder (str): The folder that its file names are relative to.
        trains (bool): Whether objects are needed. A test set may have none.

    Raises:
        UserError: If there is an error.
    """
    if os.path.getsize(path) <= WHOLE:
        data, is_whole = read_coco_file(path, needs_objects=trains), True
    else:
        data, is_whole = read_first_objects(path, OBJECTS, trains), False
    findings = check_objects(data, is_whole)
    check_images(data, folder, findings, IMAGES)
    findings.refuse_errors(f'. To see all: mmdet-eca check-coco {path} {folder}')
