from typing import Any

import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor, nn


@MODELS.register_module()
class ImageClassifier(BaseModel):
    """An image classifier: backbone, global average pooling and one linear layer.

    Args:
        backbone (dict): Config of the backbone; its last output is used.
        in_channels (int): Channels C of that output.
        num_classes (int): Number of classes K.
        data_preprocessor (dict, optional): Config of what makes a batch of the
            images; it gives images (N, 3, H, W).
        dropout (float): Probability of setting a channel to zero before the linear
            layer.
        label_smoothing (float): Share of the target that is spread evenly over all
            classes.
        init_cfg (dict, optional): mmengine's config of the initial weights.
    """

    def __init__(
        self,
        backbone: dict,
        in_channels: int,
        num_classes: int,
        data_preprocessor: dict | None = None,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.dropout = nn.Dropout(dropout)
        self.label_smoothing = label_smoothing
        self.fc = nn.Linear(in_channels, num_classes)

    def forward(
        self, inputs: Tensor, data_samples: Tensor | None = None, mode: str = 'tensor'
    ) -> Tensor | dict[str, Tensor] | list[dict[str, Tensor]]:
        """Classifies a batch of images.

        Args:
            inputs (Tensor): Images, shape (N, 3, H, W).
            data_samples (Tensor, optional): Labels, shape (N,).
            mode (str): 'tensor', 'loss' or 'predict'.

        Returns:
            Tensor | dict | list[dict]: In mode 'tensor' the scores, shape (N, K); in
            'loss' the cross-entropy ``loss``; in 'predict' for each image its
            ``scores`` (K,) and its ``label``.
        """
        pooled = self.backbone(inputs)[-1].mean(dim=(2, 3))
        scores = self.fc(self.dropout(pooled))
        labels: Any = data_samples  # there in both modes that use them
        if mode == 'loss':
            loss = F.cross_entropy(scores, labels, label_smoothing=self.label_smoothing)
            return dict(loss=loss)
        if mode == 'predict':
            return [
                dict(scores=score, label=label) for score, label in zip(scores, labels)
            ]
        return scores
