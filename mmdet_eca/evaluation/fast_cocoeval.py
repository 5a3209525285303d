"""COCO's evaluation, computed by faster-coco-eval."""

import datetime
import warnings
from types import ModuleType
from typing import Any

import numpy as np
from mmengine.utils import digit_version
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ..errors import UserError

# The lowest version that the tests were run with; the last one for Python 3.9.
LOWEST = '1.7.2'


def faster_coco_eval() -> ModuleType:
    """The package of this name.

    Raises:
        UserError: If it is not installed, or older than what was tested.
    """
    remedy = "pip install 'mmdet_eca[evaluation]'"
    try:
        import faster_coco_eval as package
    except ImportError:
        raise UserError(f'faster-coco-eval is not installed: {remedy}') from None
    if digit_version(package.__version__) < digit_version(LOWEST):
        raise UserError(
            f'faster-coco-eval {package.__version__} is installed, but {LOWEST} or '
            f'later is needed: {remedy}'
        )
    return package


class FastCOCOeval(COCOeval):
    """:class:`pycocotools.cocoeval.COCOeval`, with the same figures in less time.

    What takes the time, matching and accumulating, is faster-coco-eval's, in C++;
    what is printed and ``stats`` are pycocotools' own. ``eval`` differs in one place,
    by 2e-16: pycocotools adds that to the number of detections that it divides by,
    which shows where there is one. ``evalImgs`` and ``ious`` stay empty.

    faster-coco-eval is given objects with new numbers, since it knows no ids but
    positive integers and silently takes others for none.
    """

    def evaluate(self) -> None:
        """Matches and accumulates, of the images and classes in ``params``.

        Raises:
            UserError: If faster-coco-eval is not installed.
        """
        package, params = faster_coco_eval(), self.params
        params.imgIds = list(np.unique(params.imgIds))
        if params.useCats:
            params.catIds = list(np.unique(params.catIds))
        params.maxDets = sorted(params.maxDets)
        truth = self._objects(self.cocoGt)
        keys = {_key(thing) for thing in truth}
        detections = self._objects(self.cocoDt)
        if params.useCats:
            for found in detections:
                if _key(found) not in keys:
                    # Never compared with anything: its mask need not be read.
                    found.pop('segmentation', None)
        evaluation = package.COCOeval_faster(
            self._coco(package, truth),
            self._coco(package, detections),
            params.iouType,
            print_function=_say_nothing,
        )
        for name in ('maxDets', 'iouThrs', 'recThrs', 'areaRng', 'useCats'):
            setattr(evaluation.params, name, getattr(params, name))
        evaluation.evaluate()
        evaluation.accumulate()
        self.eval = dict(
            params=params,
            counts=list(evaluation.eval['counts']),
            date=datetime.datetime.now().strftime('%Y-%m-%d %H:%M:%S'),
            **{key: evaluation.eval[key] for key in ('precision', 'recall', 'scores')},
        )

    def accumulate(self) -> None:
        """Does nothing: :meth:`evaluate` has done it."""

    def _objects(self, coco: COCO) -> list[dict[str, Any]]:
        """The objects or detections to evaluate, in pycocotools' order."""
        params = self.params
        with_masks = params.iouType == 'segm'
        images = {image: i for i, image in enumerate(params.imgIds, start=1)}
        classes = {category: i for i, category in enumerate(params.catIds, start=1)}
        objects: list[dict[str, Any]] = []
        for thing in coco.loadAnns(coco.getAnnIds(imgIds=params.imgIds)):
            if thing['image_id'] not in images or thing['category_id'] not in classes:
                continue
            numbered = dict(
                # pycocotools never counts the object 0 as found, nor may this.
                id=len(objects) + 1 if thing['id'] else 0,
                image_id=images[thing['image_id']],
                category_id=classes[thing['category_id']],
                area=thing['area'],
                iscrowd=int(thing['iscrowd']),
            )
            if 'score' in thing:
                numbered['score'] = thing['score']
            if with_masks:
                # Kept for the next epoch, as pycocotools does.
                thing['segmentation'] = coco.annToRLE(thing)
                numbered['segmentation'] = thing['segmentation']
            else:
                numbered['bbox'] = thing['bbox']
            objects.append(numbered)
        return objects

    def _coco(self, package: ModuleType, objects: list[dict[str, Any]]) -> Any:
        """These objects as faster-coco-eval takes them."""
        # A mask has its own size; that of the image is not asked for.
        images = [
            dict(id=i, height=0, width=0) for i in range(1, len(self.params.imgIds) + 1)
        ]
        categories = [dict(id=i) for i in range(1, len(self.params.catIds) + 1)]
        with warnings.catch_warnings():
            # Of the object 0: it is treated as pycocotools does.
            warnings.filterwarnings('ignore', 'Found annotation id 0')
            return package.COCO(
                dict(images=images, annotations=objects, categories=categories)
            )


def _key(thing: dict[str, Any]) -> tuple[int, int]:
    return thing['image_id'], thing['category_id']


def _say_nothing(*words: object) -> None:
    """Takes the place of print."""
