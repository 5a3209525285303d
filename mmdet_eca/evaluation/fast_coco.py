import warnings
from typing import Any
from unittest import mock

import numpy as np
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from mmengine.fileio import dump, load
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ..dependencies import require


def _faster_coco_eval() -> Any:
    return require('faster_coco_eval', 'evaluation', '1.7.2')


class FastCOCOeval(COCOeval):
    """:class:`pycocotools.cocoeval.COCOeval`, with the same figures in less time.

    faster-coco-eval matches and accumulates, in C++; pycocotools summarizes. ``eval``
    differs by 2e-16 where a single detection counts: pycocotools adds that to the
    number that it divides by. ``evalImgs`` and ``ious`` stay empty.
    """

    def evaluate(self) -> None:
        """Matches and accumulates, for the images and classes in ``params``.

        Raises:
            UserError: If faster-coco-eval is not installed.
        """
        params = self.params
        params.imgIds = list(np.unique(params.imgIds))
        if params.useCats:
            params.catIds = list(np.unique(params.catIds))
        params.maxDets = sorted(params.maxDets)
        evaluation = _faster_coco_eval().COCOeval_faster(
            self._renumbered(self.cocoGt),
            self._renumbered(self.cocoDt),
            params.iouType,
            print_function=lambda *words: None,
        )
        for name in ('maxDets', 'iouThrs', 'recThrs', 'areaRng', 'useCats'):
            setattr(evaluation.params, name, getattr(params, name))
        evaluation.evaluate()
        evaluation.accumulate()
        self.eval = dict(evaluation.eval, params=params)

    def accumulate(self) -> None:
        """Does nothing: :meth:`evaluate` has done it."""

    def _renumbered(self, coco: COCO) -> Any:
        """Returns objects with ids as faster-coco-eval needs them: positive integers.

        It takes others for none.
        """
        params = self.params
        images = {image: i for i, image in enumerate(params.imgIds, start=1)}
        classes = {category: i for i, category in enumerate(params.catIds, start=1)}
        objects: list[dict[str, Any]] = []
        for thing in coco.loadAnns(coco.getAnnIds(imgIds=params.imgIds)):
            if thing['image_id'] not in images or thing['category_id'] not in classes:
                continue
            if params.iouType == 'segm':
                # Kept for the next epoch, as pycocotools does.
                thing['segmentation'] = coco.annToRLE(thing)
            numbers = dict(
                # pycocotools never counts the object 0 as found, nor does this.
                id=len(objects) + 1 if thing['id'] else 0,
                image_id=images[thing['image_id']],
                category_id=classes[thing['category_id']],
                iscrowd=int(thing['iscrowd']),
            )
            shape = 'segmentation' if params.iouType == 'segm' else 'bbox'
            kept = {key: thing[key] for key in ('area', 'score', shape) if key in thing}
            objects.append(kept | numbers)
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'Found annotation id 0')
            return _faster_coco_eval().COCO(
                dict(
                    # A mask has its own size; that of the image is not asked for.
                    images=[dict(id=i, height=0, width=0) for i in images.values()],
                    categories=[dict(id=i) for i in classes.values()],
                    annotations=objects,
                )
            )


@METRICS.register_module()
class FastCocoMetric(CocoMetric):
    """:class:`mmdet.evaluation.CocoMetric` in less time: same options, same figures.

    The evaluation is :class:`FastCOCOeval`, ``use_mp_eval`` or not. Detections go
    through a file only if ``outfile_prefix`` names one.

    Raises:
        UserError: If faster-coco-eval is not installed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _faster_coco_eval()  # missing: before the training, not after its first epoch
        super().__init__(*args, **kwargs)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Evaluates as ``CocoMetric`` does: images and detections to figures."""
        kept: dict[str, Any] = {}

        def write(content: Any, path: str) -> None:
            if self.outfile_prefix is not None or path.endswith('.gt.json'):
                dump(content, path)
            else:
                kept[path] = content

        # CocoMetric has no other place where an evaluation could be chosen.
        with mock.patch.multiple(
            'mmdet.evaluation.metrics.coco_metric',
            COCOeval=FastCOCOeval,
            COCOevalMP=FastCOCOeval,
            dump=write,
            load=lambda path: kept[path] if path in kept else load(path),
        ):
            return super().compute_metrics(results)
