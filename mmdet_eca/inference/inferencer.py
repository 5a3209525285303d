import copy
from typing import Any

import numpy as np
from mmdet.apis import DetInferencer
from mmdet.datasets.transforms import InferencerLoader
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from mmengine.config import Config

from ..config_paths import find_config
from ..errors import UserError
from ..training.config import innermost_datasets
from ..training.detector import load_detector
from ..training.hooks import to_channels_last
from ..training.mistakes import merge_options
from ..training.mixed_precision import use_mixed_precision
from .image_header import is_size_credible


class Inferencer(DetInferencer):
    """MMDetection's inferencer with our reader of checkpoints.

    Its call reads, detects, draws and writes one image after the other. Here these
    are functions, so that they can overlap. On a CPU the feature maps are
    channels-last, see :class:`ChannelsLastHook`.

    Args:
        config (str): A config, as :func:`find_config` takes it.
        checkpoint (str): The checkpoint.
        device (str, optional): See :func:`load_detector`.
        amp (bool): Whether the network runs with mixed precision.
        cfg_options (dict, optional): Settings of the config to change.

    Raises:
        UserError: See :func:`load_detector`; or if the config has no
            ``test_dataloader``, nor one for validation, whose pipeline prepares the
            images.
    """

    def __init__(
        self,
        config: str,
        checkpoint: str,
        device: str | None = None,
        amp: bool = False,
        cfg_options: dict | None = None,
    ) -> None:
        cfg = Config.fromfile(find_config(config))
        merge_options(cfg, cfg_options or {})
        if cfg.get('test_dataloader') is None:
            cfg.test_dataloader = cfg.get('val_dataloader')
        if cfg.test_dataloader is None:
            raise UserError(
                f'{config} has no test_dataloader, whose pipeline prepares the images'
            )
        # MMDetection's looks for the pipeline in the outermost wrapper.
        cfg.test_dataloader.dataset = next(
            innermost_datasets(cfg.test_dataloader.dataset)
        )
        super().__init__(cfg, checkpoint, device)
        if self.device_type == 'cpu':
            to_channels_last(self.model)
        if amp:
            use_mixed_precision(self.model)

    @property
    def device_type(self) -> str:
        """Returns where the network runs: 'cpu', 'cuda'."""
        return next(self.model.parameters()).device.type

    def read(self, path: str) -> np.ndarray:
        """Reads an image as the config's pipeline does: shape (H, W, 3), BGR.

        Raises:
            ValueError: If it cannot be read; the message says why.
        """
        if not is_size_credible(path):
            raise ValueError('its header claims more pixels than such a file can have')
        try:
            loaded = self._loader.from_file(dict(img_path=path))
        except Exception as error:  # a broken file may lead to any
            reason = str(error).splitlines() or [type(error).__name__]
            raise ValueError(reason[0]) from None
        if loaded is None:
            raise ValueError('no image')
        return loaded['img']

    def detect(self, inputs: list[dict]) -> list[DetDataSample]:
        """Detects objects in a batch of what ``self.pipeline`` gives for images.

        Returns:
            list[DetDataSample]: With ``pred_instances`` alone, on the CPU.

        Raises:
            UserError: If the model gives something else than objects.
        """
        samples = self.forward(self.collate_fn(inputs))
        if 'pred_instances' not in samples[0]:
            raise UserError(
                f'a {type(self.model).__name__} predicts no objects with boxes or masks'
            )
        return [
            DetDataSample(pred_instances=sample.pred_instances.cpu())
            for sample in samples
        ]

    def _init_model(
        self, cfg: Config, weights: str | None, device: str = 'cpu'
    ) -> BaseDetector:
        return load_detector(cfg, weights or '', device)

    def _init_pipeline(self, cfg: Config) -> Any:
        try:
            pipeline = super()._init_pipeline(copy.deepcopy(cfg))  # it changes types
        except ValueError as error:
            raise UserError(f"the config's test_dataloader: {error}") from None
        self._loader = next(
            step for step in pipeline.transforms if isinstance(step, InferencerLoader)
        )
        return pipeline

    def _init_visualizer(self, cfg: Config) -> None:
        """Draws nothing: see :func:`mmdet_eca.visualization.draw_detections`."""
