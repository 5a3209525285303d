"""Images that a user names: files, folders and patterns."""

import glob
import os
import os.path as osp
from collections.abc import Sequence

from mmdet.apis.det_inferencer import IMG_EXTENSIONS

from ..errors import UserError


def find_images(inputs: Sequence[str]) -> list[str]:
    """Returns the paths of images, each once.

    Args:
        inputs (Sequence[str]): Files, whatever their names end with; folders, of
            which the images are taken, not those in folders inside; and patterns
            such as 'photos/**/*.jpg', where ``**`` means any folders.

    Returns:
        list[str]: In the order of the inputs, those of a folder or pattern sorted.

    Raises:
        UserError: If an input does not exist, or has no images.
    """
    paths: dict[str, None] = {}
    for name in inputs:
        paths.update(dict.fromkeys(_images_of(name)))
    return list(paths)


def is_image(path: str) -> bool:
    """Whether a file's name ends as that of an image that MMDetection reads."""
    return path.lower().endswith(IMG_EXTENSIONS)


def _images_of(name: str) -> list[str]:
    if osp.isdir(name):
        found = [osp.join(name, file) for file in os.listdir(name)]
        what = f'folder {name} has no images'
    elif osp.isfile(name):
        return [name]
    elif glob.has_magic(name):
        found = glob.glob(name, recursive=True)
        what = f'no image fits the pattern {name}'
    else:
        raise UserError(f'image {name} does not exist: check its path')
    images = sorted(path for path in found if is_image(path) and osp.isfile(path))
    if not images:
        raise UserError(f'{what}: their names end in {", ".join(IMG_EXTENSIONS)}')
    return images
