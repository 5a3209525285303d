from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner

from ..mixed_precision import has_bfloat16, use_mixed_precision


@HOOKS.register_module()
class MixedPrecisionHook(Hook):
    """Lets the networks of a detector run in half precision.

    That is bfloat16 on a CPU, for training too: its exponents are those of float32,
    so the loss needs no scale. See :func:`use_mixed_precision`.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Changes the model; logs if the CPU has no bfloat16."""
        model = runner.model
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        use_mixed_precision(model)
        if next(model.parameters()).device.type == 'cpu' and not has_bfloat16():
            runner.logger.warning('This CPU has no bfloat16: amp may be slower here.')
