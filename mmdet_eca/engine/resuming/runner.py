from typing import Any, Optional, Union

from mmengine.hooks import Hook
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop
from torch import nn

from ...checkpoints.files import read_checkpoint
from ..hooks.iter_seed_hook import IterSeedHook
from .loops import ResumableEpochLoop


class ResumableRunner(Runner):
    """mmengine's runner for trainings that an interruption does not change.

    It takes every config of mmengine's. A training loop that is not mmengine's over
    epochs stays as it is.
    """

    def register_hooks(
        self,
        default_hooks: Optional[dict[str, Union[Hook, dict]]] = None,
        custom_hooks: Optional[list[Union[Hook, dict]]] = None,
    ) -> None:
        """Registers the hooks of the config and those that resuming needs."""
        super().register_hooks(default_hooks, custom_hooks)
        self.register_hook(IterSeedHook())

    def build_train_loop(self, loop: Union[BaseLoop, dict]) -> BaseLoop:
        """Builds the training loop, ours in place of mmengine's over epochs."""
        if isinstance(self._train_dataloader, dict) and _is_over_epochs(loop):
            loop = dict(loop, type=ResumableEpochLoop)
            loop.pop('by_epoch', None)
        return super().build_train_loop(loop)

    def train(self) -> nn.Module:
        """Trains, with the seed of the run that is resumed.

        mmengine takes it over when the order of the images has been drawn already.
        """
        if self._resume and self._load_from is not None:
            meta = read_checkpoint(self._load_from).get('meta', {})
            self._take_seed(meta.get('seed'))
        return super().train()

    def _take_seed(self, seed: Optional[int]) -> None:
        configured = self._randomness_cfg.get('seed')
        if seed is None or seed == configured:
            return
        if configured is not None:
            self.logger.warning(
                f'randomness.seed={configured} is not used: the run that is resumed '
                f'has the seed {seed}'
            )
        self._randomness_cfg.update(seed=seed)
        self.set_randomness(**self._randomness_cfg)


def _is_over_epochs(loop: Any) -> bool:
    """Whether a config of a training loop means exactly mmengine's over epochs."""
    if not isinstance(loop, dict):
        return False
    kind = loop.get('type')
    if isinstance(kind, str):
        kind = LOOPS.get(kind)
    return kind is EpochBasedTrainLoop or bool(kind is None and loop.get('by_epoch'))
