"""One screen before a training, and one after it."""

import os.path as osp
import shlex

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, find_latest_checkpoint

from ...errors import first_few


@HOOKS.register_module()
class SummaryHook(Hook):
    """Says what is trained before the first step, and what came out after the last."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.evaluations: list[tuple[int, dict]] = []

    def before_train(self, runner: Runner) -> None:
        """Logs data, model, schedule, and where the run writes."""
        loop, loader = runner.train_loop, runner.train_dataloader
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        backbone = type(getattr(model, 'backbone', model)).__name__
        weights = [p.numel() for p in model.parameters()]
        trained = [p.numel() for p in model.parameters() if p.requires_grad]
        metainfo = getattr(loader.dataset, 'metainfo', None) or {}
        classes = metainfo.get('classes') or ()
        groups = runner.optim_wrapper.optimizer.param_groups
        # Without the warm-up, which has begun.
        lr = dict.fromkeys(f'{g.get("initial_lr", g["lr"]):g}' for g in groups)
        optimizer = type(runner.optim_wrapper.optimizer).__name__
        batch = runner.cfg.train_dataloader.get('batch_size')
        if runner.world_size > 1:
            batch = f'{batch} x {runner.world_size}'
        size = (
            f'{loop.max_epochs} epochs of {len(loader)} iterations'
            if hasattr(loop, 'max_epochs') and loop.max_epochs
            else f'{loop.max_iters} iterations'
        )
        data = [f'{len(loader.dataset)} images for training']
        if runner.val_loop is not None:
            data.append(f'{len(runner.val_dataloader.dataset)} for evaluation')
        if classes:
            number = '1 class' if len(classes) == 1 else f'{len(classes)} classes'
            data.append(f'{number} ({first_few(classes)})')
        lines = [
            f'data      {", ".join(data)}',
            (
                f'model     {type(model).__name__} with {backbone}: '
                f'{sum(weights) / 1e6:.2f} M weights, '
                f'{sum(trained) / 1e6:.2f} M of them trained'
            ),
            f'schedule  {size}, batch size {batch}, {optimizer}, lr {", ".join(lr)}',
            f'writes    {runner.log_dir}; its log has the environment and the config',
            'to stop   Ctrl-C; the same command with --resume continues',
        ]
        _log(runner, lines)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Notes the metrics."""
        self.evaluations.append((runner.epoch, dict(metrics or {})))

    def after_train(self, runner: Runner) -> None:
        """Logs the best evaluation, the checkpoint, and what can be done with it."""
        lines = []
        names = [name for _, found in self.evaluations for name in found]
        ap = [name for name in dict.fromkeys(names) if name.endswith('mAP')]
        for name in ap:
            known = [
                (found[name], at) for at, found in self.evaluations if name in found
            ]
            (best, when), (last, _) = max(known), known[-1]
            lines.append(
                f'{name:<16} {last:.3f} at the end, best {best:.3f} after epoch {when}'
            )
        checkpoint = find_latest_checkpoint(runner.work_dir)
        if checkpoint is not None:
            lines.append(f'checkpoint       {_typed(checkpoint)}')
            if runner.cfg.filename:
                files = shlex.join([_typed(runner.cfg.filename), _typed(checkpoint)])
                lines.append(f'next             mmdet-eca predict {files} IMAGES')
                lines.append(f'                 mmdet-eca test {files}')
        _log(runner, lines)


def _log(runner: Runner, lines: list[str]) -> None:
    rule = '-' * 72
    runner.logger.info('\n'.join(['', rule, *lines, rule]))


def _typed(path: str) -> str:
    """Returns a path as it is typed: relative if it is below the current folder."""
    relative = osp.relpath(path)
    return path if relative.startswith(osp.pardir) else relative
