"""The module that mmcv knows as ``mmcv._ext``."""

from collections.abc import Callable
from typing import Any

from .carafe import (
    carafe_backward,
    carafe_forward,
    carafe_naive_backward,
    carafe_naive_forward,
)
from .deform_attention import ms_deform_attn_backward, ms_deform_attn_forward
from .deform_conv import (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
)
from .focal_loss import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
    softmax_focal_loss_backward,
    softmax_focal_loss_forward,
)
from .masked_conv import masked_col2im_forward, masked_im2col_forward
from .nms import nms, nms_match, softnms
from .roi_align import roi_align_backward, roi_align_forward
from .roi_pool import roi_pool_backward, roi_pool_forward

__all__ = [
    'carafe_backward',
    'carafe_forward',
    'carafe_naive_backward',
    'carafe_naive_forward',
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'deform_conv_forward',
    'get_compiler_version',
    'get_compiling_cuda_version',
    'masked_col2im_forward',
    'masked_im2col_forward',
    'modulated_deform_conv_backward',
    'modulated_deform_conv_forward',
    'ms_deform_attn_backward',
    'ms_deform_attn_forward',
    'nms',
    'nms_match',
    'roi_align_backward',
    'roi_align_forward',
    'roi_pool_backward',
    'roi_pool_forward',
    'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward',
    'softmax_focal_loss_backward',
    'softmax_focal_loss_forward',
    'softnms',
]


def get_compiler_version() -> str:
    """Returns what stands for mmcv's compiler: there was none."""
    return 'none (mmcv_operators, in PyTorch)'


def get_compiling_cuda_version() -> str:
    """Returns 'not available', as an mmcv does that was compiled without CUDA."""
    return 'not available'


def __getattr__(name: str) -> Callable[..., Any]:
    """Stands in for each operator that is missing; it raises when it is called.

    mmcv asks for all of its operators when it is imported.
    """
    if name.startswith(('__', 'pytest')):  # what Python and pytest ask of modules
        raise AttributeError(name)

    def missing(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f'the operator {name!r} of mmcv is not one of those that need no '
            'compiling: it needs the compiled mmcv instead of mmcv-lite (pip uninstall '
            'mmcv-lite, pip install openmim, mim install mmcv==2.1.0)'
        )

    missing.__name__ = name
    return missing
