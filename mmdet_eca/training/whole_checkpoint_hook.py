from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner

from ..weights.files import without_module
from .detector import check_whole


@HOOKS.register_module()
class WholeCheckpointHook(Hook):
    """Refuses to test a detector of which the checkpoint lacks parameters.

    mmengine logs what is missing, and tests with random weights. Its strict
    loading, which the runner does not offer for tests, would also refuse a
    checkpoint with more in it than the detector.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compares the checkpoint with the model.

        The checkpoint is read but not yet in the model.

        Raises:
            UserError: If the checkpoint lacks a parameter of the model, or has one of
                another shape.
        """
        model = runner.model
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        check_whole(model, without_module(checkpoint.get('state_dict', checkpoint)))
