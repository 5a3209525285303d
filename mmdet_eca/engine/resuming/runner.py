import os
import os.path as osp
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process, master_only
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, Hook
from mmengine.registry import HOOKS, LOOPS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop
from torch import nn
from torch.utils.data import DataLoader

from ...checkpoints.files import read_checkpoint, whole_file
from ...errors import UserError
from ..hooks.divergence_hook import DivergenceHook
from ..hooks.iter_seed_hook import IterSeedHook
from .early_stopping_hook import ResumableEarlyStoppingHook
from .finding import UNFINISHED, WITHIN_EPOCH, Found, find_newest_checkpoint
from .full_disk import log_without_room
from .interruption import InterruptionHook, outlive_signals
from .loops import ResumableEpochLoop, ResumableIterLoop
from .safe_checkpoint_hook import SafeCheckpointHook

LAUNCHED = 'MMDET_ECA_LAUNCHED'  # the variable that tools/torchrun.py sets
OUR_HOOKS = {
    CheckpointHook: SafeCheckpointHook,
    EarlyStoppingHook: ResumableEarlyStoppingHook,
}
OUR_LOOPS = {
    EpochBasedTrainLoop: ResumableEpochLoop,
    IterBasedTrainLoop: ResumableIterLoop,
}


class ResumableRunner(Runner):
    """mmengine's runner for trainings that an interruption does not change.

    It takes every config of mmengine's. A training loop that is not one of mmengine's
    two stays as it is, and so does a hook that is not mmengine's.
    """

    _resume: bool
    _resumed_meta: dict = {}

    def register_hook(self, hook: Any, priority: Any = None) -> None:
        """Registers a hook, ours in place of one of mmengine's that has to be known."""
        if isinstance(hook, dict):
            ours = OUR_HOOKS.get(_class(HOOKS, hook))
            hook = dict(hook, type=ours) if ours else hook
        super().register_hook(hook, priority)

    def register_hooks(
        self,
        default_hooks: dict[str, Hook | dict] | None = None,
        custom_hooks: list[Hook | dict] | None = None,
    ) -> None:
        """Registers the hooks of the config and those of every training."""
        super().register_hooks(default_hooks, custom_hooks)
        self.register_hook(IterSeedHook())
        self.interruption = InterruptionHook()
        self.register_hook(self.interruption)
        if not any(isinstance(hook, DivergenceHook) for hook in self.hooks):
            self.register_hook(DivergenceHook())

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict,
        seed: int | None = None,
        diff_rank_seed: bool = False,
    ) -> DataLoader:
        """Builds a data loader, whose workers leave signals to their parent."""
        loader = Runner.build_dataloader(dataloader, seed, diff_rank_seed)
        if isinstance(dataloader, dict):
            outlive_signals(loader)
        return loader

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Builds the training loop, ours in place of mmengine's."""
        if isinstance(self._train_dataloader, dict) and isinstance(loop, dict):
            kind = _training_loop(loop)
            if kind in OUR_LOOPS:
                if 'type' not in loop:
                    loop = {k: v for k, v in loop.items() if k != 'by_epoch'}
                loop = dict(loop, type=OUR_LOOPS[kind])
        return super().build_train_loop(loop)

    def train(self) -> nn.Module:
        """Trains, from the newest checkpoint that is whole if the run is resumed.

        The seed is taken from it. mmengine does so when the order of the images has
        been drawn already.

        Raises:
            UserError: If the checkpoint to resume from is not whole, or none of those
                in the work directory is.
        """
        since = _launched() if _is_restarted() else None
        if self._resume or since is not None:
            found = self._find_for_all(since)
            if found is not None:
                self._resume = True
                self._load_from = found.path
                self._resumed_meta = found.meta
                self._take_seed(found.meta.get('seed'))
            else:
                self._resume = False
                self.logger.warning(
                    f'{self.work_dir} has no checkpoint: the training starts anew'
                )
        log_without_room(self.visualizer, self.logger)
        with self.interruption.listening():
            return super().train()

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Resumes, within an epoch too; the arguments are mmengine's."""
        super().resume(filename, *args, **kwargs)
        if isinstance(self.train_loop, ResumableEpochLoop):
            self.train_loop.enter(self._resumed_meta)

    def may_save_within_epoch(self) -> bool:
        """Whether a run can go on from here, between two iterations.

        Not in the middle of an accumulation of gradients, and not in a loop over
        epochs of somebody else, which would begin the epoch anew.
        """
        return isinstance(
            self.train_loop, (ResumableEpochLoop, IterBasedTrainLoop)
        ) and all(
            wrapper.should_update()
            for wrapper in getattr(
                self.optim_wrapper, 'optim_wrappers', {'': self.optim_wrapper}
            ).values()
        )

    def save_before_evaluation(self) -> None:
        """Writes a checkpoint if the newest is older than what is evaluated next."""
        for hook in self.hooks:
            if isinstance(hook, SafeCheckpointHook):
                hook.save_before_evaluation(self)

    @master_only
    def save_checkpoint(
        self, out_dir: str, filename: str, *args: Any, **kwargs: Any
    ) -> None:
        """Writes a checkpoint, whole or not at all; the arguments are mmengine's.

        Raises:
            OSError: If it cannot be written, such as on a full disk.
        """
        if '://' in str(out_dir):
            super().save_checkpoint(out_dir, filename, *args, **kwargs)
            return
        os.makedirs(out_dir, exist_ok=True)
        # One name, so that a killed process leaves one unfinished file at most.
        unfinished = osp.join(out_dir, UNFINISHED)
        with whole_file(osp.join(out_dir, filename), unfinished):
            super().save_checkpoint(out_dir, UNFINISHED, *args, **kwargs)

    @master_only
    def dump_config(self) -> None:
        """Writes the config whole: a run may be resumed by this very file."""
        name = osp.basename(self.cfg.filename or f'{self.timestamp}.py')
        path, text = osp.join(self.work_dir, name), self.cfg.dump()
        unfinished = f'{path}.tmp'
        with whole_file(path, unfinished), open(unfinished, 'w', encoding='utf-8') as f:
            f.write(text)

    def _find_for_all(self, since: float | None) -> Found | None:
        """Finds the checkpoint in the first process, for which the others wait."""
        answer: list[Found | UserError | None] = [None]
        if is_main_process():
            try:
                answer = [self._find_checkpoint(since)]
            except UserError as error:
                answer = [error]
        broadcast_object_list(answer)
        if isinstance(answer[0], UserError):
            raise answer[0]
        return answer[0]

    def _find_checkpoint(self, since: float | None) -> Found | None:
        """The checkpoint that was asked for, or the newest.

        Args:
            since (float, optional): When torchrun was launched, if it has restarted
                this process: what the run has written since then goes first.
        """
        found = None
        if since is not None or self._load_from is None:
            found = self._find_newest(since or 0)
        if found is None and self._resume and self._load_from is not None:
            meta = read_checkpoint(self._load_from).get('meta', {})
            found = Found(self._load_from, meta)
        return found or (self._find_newest(0) if self._resume else None)

    def _find_newest(self, since: float) -> Found | None:
        hook = next((h for h in self.hooks if isinstance(h, CheckpointHook)), None)
        folder, names = self.work_dir, ['epoch_{}.pth', 'iter_{}.pth', WITHIN_EPOCH]
        if hook is not None:
            names.append(hook.filename_tmpl)
            if hook.out_dir is not None:
                folder = osp.join(hook.out_dir, osp.basename(self.work_dir))
        return find_newest_checkpoint(
            self.work_dir,
            folder,
            [name.format('*') for name in names],
            self.logger,
            since,
        )

    def _take_seed(self, seed: int | None) -> None:
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


def _is_restarted() -> bool:
    return int(os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')) > 0


def _launched() -> float | None:
    """When tools/torchrun.py was started, in seconds since 1970.

    Without it an older run's checkpoints could not be told from this one's.
    """
    launched = os.environ.get(LAUNCHED)
    return float(launched) if launched else None


def _class(registry: Any, config: dict) -> Any:
    kind = config.get('type')
    return registry.get(kind) if isinstance(kind, str) else kind


def _training_loop(config: dict) -> Any:
    """The class that mmengine builds of a training loop's config."""
    if 'by_epoch' in config and 'type' not in config:
        return EpochBasedTrainLoop if config['by_epoch'] else IterBasedTrainLoop
    return _class(LOOPS, config)
