"""A detector whose answers are known: it finds rectangles of two colours on black."""

import cv2
import numpy as np
import torch
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from torch import nn

CLASSES = ('red', 'green')
BGR = {'red': (0, 0, 255), 'green': (0, 255, 0)}
CONFIG = """
custom_imports = dict(imports=['mmdet_eca'])
model = dict(type='Blobs', least={least})
test_dataloader = dict(
    dataset=dict(
        type='CocoDataset',
        ann_file={ann_file!r},
        data_prefix=dict(img={images!r}),
        metainfo=dict(classes=('red', 'green')),
        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackDetInputs')],
    )
)
"""


@MODELS.register_module(force=True)
class Blobs(BaseDetector):
    """Its scores are 0.9 for red and 0.2 for green rectangles.

    Args:
        least (float): Length of the smallest rectangle that it sees, as a part of the
            image's longer side: as a network's that enlarges images to one size.
    """

    def __init__(self, least=0):
        super().__init__(
            data_preprocessor=dict(type='DetDataPreprocessor', bgr_to_rgb=True)
        )
        self.least = least
        self.weight = nn.Parameter(torch.zeros(1))

    def predict(self, batch_inputs, batch_data_samples, rescale=True):
        for image, sample in zip(batch_inputs, batch_data_samples):
            height, width = sample.img_shape[:2]
            found = [
                blob
                for label in (0, 1)
                for blob in self.find(image[label, :height, :width] > 128, label)
            ]
            boxes, labels, scores, masks = zip(*found) if found else ([],) * 4
            sample.pred_instances = InstanceData(
                bboxes=torch.tensor(boxes).view(-1, 4).float(),
                labels=torch.tensor(labels).long(),
                scores=torch.tensor(scores),
                masks=torch.tensor(np.array(masks)).view(-1, height, width).bool(),
            )
        return batch_data_samples

    def find(self, mask, label):
        mask = mask.numpy().astype(np.uint8)
        _, pixels, stats, _ = cv2.connectedComponentsWithStats(mask)
        for i, (left, top, width, height, _) in enumerate(stats.tolist()):
            if i and max(width, height) >= self.least * max(mask.shape):
                box = [left, top, left + width, top + height]
                yield box, label, (0.9, 0.2)[label], pixels == i

    def loss(self, batch_inputs, batch_data_samples): ...

    def _forward(self, batch_inputs, batch_data_samples=None): ...

    def extract_feat(self, batch_inputs): ...


def draw(size, *rectangles):
    """An image (width, height) with rectangles (colour, x, y, width, height)."""
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    for colour, x, y, w, h in rectangles:
        image[y : y + h, x : x + w] = BGR[colour]
    return image


def write_detector(folder, least=0, ann_file='', images=''):
    """Writes config and checkpoint; returns both paths."""
    config, checkpoint = folder / 'blobs.py', folder / 'blobs.pth'
    config.write_text(CONFIG.format(least=least, ann_file=ann_file, images=images))
    torch.save(dict(state_dict=dict(weight=torch.zeros(1))), checkpoint)
    return str(config), str(checkpoint)
