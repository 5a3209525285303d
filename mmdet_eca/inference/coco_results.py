"""Results in COCO's format, which pycocotools reads."""

import json
import os.path as osp
from typing import Any

from mmdet.datasets import CocoDataset
from mmengine.config import Config

from ..weights.files import whole_file
from .sources import Images, Video

# COCO's 80 categories have the numbers 1 to 90 but for these.
_NOT_IN_COCO = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
PREDICTIONS = 'predictions.json'
IMAGES = 'images.json'


class CocoResults:
    """Collects detections, and writes them as two files.

    pycocotools' ``COCO`` takes ``images.json``, the images and categories, and its
    ``loadRes`` ``predictions.json``.

    The ids of categories and images are those of the annotation file of the config's
    test data set, if it is there. Else the categories are numbered from 1, or as in
    COCO if they are COCO's, and the images from 1.

    Args:
        cfg (Config): The detector's config with ``test_dataloader``.
        classes (tuple[str]): The names of the classes.
        source (Images | Video): The images.

    Attributes:
        category_ids (list[int]): For each label.
        origin (str): Where they come from, for a message.
    """

    def __init__(
        self, cfg: Config, classes: tuple[str, ...], source: Images | Video
    ) -> None:
        self.classes = classes
        self.source = source
        self.images: list[dict] = []
        self.detections: list[dict] = []
        known = _read_annotations(cfg.test_dataloader.dataset)
        self.category_ids, self.origin = _category_ids(known, classes)
        self._ids = _image_ids(known, source)

    def add(self, index: int, found: dict, height: int, width: int) -> None:
        """Adds an image (H, W) of the source and what was found in it.

        ``found`` has lists 'bboxes' (left, top, right, bottom), 'scores', 'labels'
        and perhaps 'masks' (RLE).
        """
        image_id = self._ids.get(index, index + 1)
        image = dict(
            id=image_id, file_name=self.source.name(index), height=height, width=width
        )
        if isinstance(self.source, Video):
            image.update(video_id=1, frame_id=index)
        self.images.append(image)
        for i, (left, top, right, bottom) in enumerate(found['bboxes']):
            detection = dict(
                image_id=image_id,
                category_id=self.category_ids[found['labels'][i]],
                bbox=[left, top, right - left, bottom - top],
                score=found['scores'][i],
            )
            if 'masks' in found:
                detection['segmentation'] = found['masks'][i]
            self.detections.append(detection)

    def write(self, folder: str) -> None:
        """Writes both files, each whole or not at all."""
        categories = [
            dict(id=category_id, name=name)
            for category_id, name in zip(self.category_ids, self.classes)
        ]
        images: dict = dict(images=self.images, annotations=[], categories=categories)
        if isinstance(self.source, Video):
            name = osp.basename(self.source.path)
            images['videos'] = [dict(id=1, name=name)]
        # Last the one by which a later run sees that there are results.
        for name, content in ((IMAGES, images), (PREDICTIONS, self.detections)):
            with (
                whole_file(osp.join(folder, name)) as unfinished,
                open(unfinished, 'w') as file,
            ):
                json.dump(content, file)


def _read_annotations(dataset: Config) -> dict:
    """Reads the annotation file of a data set: images, categories, and the folder.

    Returns:
        dict: Empty if there is no such file, or it is not COCO's.
    """
    root = dataset.get('data_root') or ''
    path = osp.join(root, dataset.get('ann_file') or '')
    if not path.endswith('.json') or not osp.isfile(path):
        return {}
    prefix = (dataset.get('data_prefix') or {}).get('img', '')
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
        return dict(
            path=path,
            folder=osp.join(root, prefix),
            images=content['images'],
            categories=content['categories'],
        )
    except (ValueError, KeyError, TypeError):
        return {}


def _category_ids(known: dict, classes: tuple[str, ...]) -> tuple[list[int], str]:
    # In the order of the file, as mmdet's CocoDataset and CocoMetric number labels.
    ids = [c['id'] for c in known.get('categories', []) if c['name'] in classes]
    if len(ids) == len(classes):
        return ids, f'of {known["path"]}'
    if tuple(classes) == CocoDataset.METAINFO['classes']:
        return [i for i in range(1, 91) if i not in _NOT_IN_COCO], 'of COCO'
    return list(range(1, len(classes) + 1)), f'1 to {len(classes)}, in their order'


def _image_ids(known: dict, source: Images | Video) -> dict[int, Any]:
    """Returns the ids of the images that are the data set's, and others for the rest.

    An image is the data set's by its folder and name: the file itself may be a link
    into a store, as git-annex and DVC make them.
    """
    if isinstance(source, Video) or not known.get('images'):
        return {}
    of_place = {
        _place(osp.join(known['folder'], image['file_name'])): image['id']
        for image in known['images']
    }
    ids = [of_place.get(_place(path)) for path in source.paths]
    if not any(image_id is not None for image_id in ids):
        return {}
    if any(isinstance(image_id, str) for image_id in of_place.values()):
        new = [f'new-{i}' for i in range(len(ids))]
    else:
        after = max(of_place.values()) + 1
        new = [after + i for i in range(len(ids))]
    return {i: new[i] if one is None else one for i, one in enumerate(ids)}


def _place(path: str) -> tuple[str, str]:
    folder, name = osp.split(osp.normpath(path))
    return osp.realpath(folder), name
