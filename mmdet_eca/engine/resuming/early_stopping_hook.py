from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner

STATE = 'early_stopping'


@HOOKS.register_module()
class ResumableEarlyStoppingHook(EarlyStoppingHook):
    """mmengine's EarlyStoppingHook, which a resumed run goes on to count with.

    mmengine counts the evaluations without an improvement anew after a resume, so that
    the run stops later. Here the count is in the message hub, and so in checkpoints.
    The arguments are mmengine's.
    """

    def before_train(self, runner: Runner) -> None:
        """Takes up the count of an earlier process."""
        state = runner.message_hub.runtime_info.get(self._name())
        if state is not None:
            self.best_score, self.wait_count = state

    def after_val_epoch(self, runner: Runner, metrics: Any = None) -> None:
        """Counts, and stops the run if it is time."""
        super().after_val_epoch(runner, metrics)
        state = [float(self.best_score), self.wait_count]
        runner.message_hub.update_info(self._name(), state)

    def _name(self) -> str:
        return f'{STATE}_{self.monitor}'
