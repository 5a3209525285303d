import re

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner

from ...errors import UserError


@HOOKS.register_module()
class WholeCheckpointHook(Hook):
    """Refuses to evaluate a detector that a checkpoint fills only in part.

    mmengine logs what is missing, and evaluates random weights.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compares the names before they are loaded.

        Raises:
            UserError: If a parameter of the model is not in the checkpoint.
        """
        model = runner.model
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        weights = checkpoint.get('state_dict', checkpoint)
        names = {re.sub(r'^module\.', '', name) for name in weights}
        missing = [
            name
            for name in model.state_dict()
            if name not in names and not name.endswith('num_batches_tracked')
        ]
        if missing:
            raise UserError(
                f'the checkpoint lacks {missing[0]!r} ({len(missing)} names) '
                f'of this {type(model).__name__}: its network is not the '
                'one of this config'
            )
