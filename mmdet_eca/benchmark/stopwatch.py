"""The time of a detector's parts, forward and backward."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.models.roi_heads.roi_extractors.base_roi_extractor import BaseRoIExtractor
from torch import Tensor, nn
from torch.utils.benchmark import timer

REST = 'the rest'


class Stopwatch:
    """Measures for how long each part of a detector runs.

    A part's time is without that of the parts that it calls. In the backward pass a
    part begins when the gradient of something that it gave is known, and ends when
    another begins; so the losses' own backward pass counts for the part before it.

    Args:
        model (nn.Module): The detector. Methods of its modules are wrapped.
    """

    def __init__(self, model: nn.Module) -> None:
        self.seconds: dict[str, float] = {}
        self._part = REST
        self._since = 0.0
        for module, method, part in _parts(model):
            setattr(module, method, self._wrap(getattr(module, method), part))

    def run(self, function: Callable[[], Any]) -> dict[str, float]:
        """Calls a function of the detector: seconds of each part that ran."""
        self.seconds, self._part = {}, REST
        self._since = timer()  # waits for the GPU
        function()
        self._switch(REST)
        return self.seconds

    def _switch(self, part: str) -> str:
        """Begins with a part, and returns the one that ends."""
        now = timer()
        self.seconds[self._part] = self.seconds.get(self._part, 0) + now - self._since
        before, self._part, self._since = self._part, part, now
        return before

    def _wrap(self, method: Callable, part: str) -> Callable:
        @wraps(method)
        def measured(*args: Any, **kwargs: Any) -> Any:
            before = self._switch(part)
            out = method(*args, **kwargs)
            self._switch(before)
            for tensor in _tensors(out):
                if tensor.requires_grad:
                    tensor.register_hook(begin)
            return out

        def begin(gradient: Tensor) -> None:
            self._switch(part)

        return measured


def _tensors(out: Any) -> Iterator[Tensor]:
    if isinstance(out, Tensor):
        yield out
    elif isinstance(out, (list, tuple)):
        for value in out:
            yield from _tensors(value)


def _parts(model: nn.Module) -> Iterator[tuple[nn.Module, str, str]]:
    """Modules of a detector, their methods, and the parts that these are."""
    for name in ('backbone', 'neck'):
        if getattr(model, name, None) is not None:
            yield getattr(model, name), 'forward', name
    for module in model.modules():
        if isinstance(module, BaseDenseHead):
            is_rpn = module is getattr(model, 'rpn_head', None)
            yield module, 'forward', 'RPN head' if is_rpn else 'dense head'
            found = 'proposals' if is_rpn else 'boxes and NMS'
            yield module, 'predict_by_feat', found
            yield module, 'loss_by_feat', 'targets and losses'
        elif isinstance(module, BaseRoIExtractor):
            yield module, 'forward', 'RoIAlign'
        elif isinstance(module, BBoxHead):
            yield module, 'forward', 'box head'
            yield module, 'predict_by_feat', 'boxes and NMS'
            yield module, 'loss_and_target', 'targets and losses'
        elif isinstance(module, FCNMaskHead):
            yield module, 'forward', 'mask head'
            yield module, 'predict_by_feat', 'masks in the image'
            yield module, 'loss_and_target', 'targets and losses'


def make_detections_equal(model: nn.Module) -> None:
    """Lets the box heads find their boxes, as objects of the first class.

    So there are masks, and as many in every row.
    """
    for module in model.modules():
        if isinstance(module, BBoxHead):
            for layer in (module.fc_cls, module.fc_reg):
                for parameter in layer.parameters():
                    nn.init.zeros_(parameter)
            nn.init.constant_(module.fc_cls.bias[:1], 5)
