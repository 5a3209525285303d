"""The base class of all backbones with channel attention."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch.utils.checkpoint as cp
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.fx import Proxy

from ...errors import UserError
from ...ops import as_node
from ..attention import AttentionLayer
from ..attention.types import check_attention_type
from .attention_weights import check_attention_weights

Attention = dict | Sequence[dict | None] | None
AttentionBlocks = str | Sequence[Sequence[int]]
KernelSize = int | Sequence[int | None] | None


class AttentionBlock(nn.Module):
    """A residual block with a channel attention layer on its branch."""

    attention_name: str | None = None

    if TYPE_CHECKING:
        # Layers and settings are set by mmdet's blocks, which have no types.
        def __getattr__(self, name: str) -> Any: ...

    def add_attention(self, cfg: dict | None, channels: int) -> None:
        """Builds the attention, a submodule named by its ``_abbr_``.

        Args:
            cfg (dict, optional): Config of the layer; None for no attention.
            channels (int): Becomes its ``in_channels``.

        Raises:
            UserError: If ``cfg`` names no channel attention, or one of the same
                name is in the block already, as a plugin.
        """
        if cfg is None:
            return
        check_attention_type(cfg)
        layer = MODELS.build(dict(cfg, in_channels=channels))
        if hasattr(self, layer._abbr_):
            raise UserError(
                f'{cfg["type"]} is given both as attention and as a '
                f'plugin called {layer._abbr_!r}; keep one of them'
            )
        self.attention_name = layer._abbr_
        self.add_module(layer._abbr_, layer)

    @property
    def last_norm(self) -> str:
        """The name of the norm before the attention."""
        raise NotImplementedError

    @property
    def attention(self) -> AttentionLayer | None:
        """The channel attention layer, None if there is none."""
        if self.attention_name is None:
            return None
        return getattr(self, self.attention_name)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C_in, H, W) to (N, C_out, H / stride, W / stride).

        With ``with_cp`` the activations are computed again for the backward pass.
        """
        if self.with_cp and isinstance(x, Proxy):
            return as_node(self, x)
        if self.with_cp and x.requires_grad:
            return cp.checkpoint(self.run, x, use_reentrant=False)
        return self.run(x)

    def run(self, x: Tensor) -> Tensor:
        """The block itself, without ``with_cp``; shapes as of :meth:`forward`."""
        raise NotImplementedError


class AttentionBackbone(nn.Module):
    """A backbone that loads its attention strictly.

    Args:
        strict_attention (bool): Whether a checkpoint with another attention
            (kind, kernel size, shape) is refused. If not, the layers that it
            does not fit keep their initialisation, a warning names them, and
            everything else is loaded.
        **kwargs: Arguments of mmdet's backbone.
    """

    if TYPE_CHECKING:
        # See AttentionBlock.
        def __getattr__(self, name: str) -> Any: ...

    def __init__(
        self, *args: Any, strict_attention: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.strict_attention = strict_attention
        for module in self.modules():
            if isinstance(module, AttentionLayer):
                module.in_attention_backbone = True

    def train(self, mode: bool = True) -> 'AttentionBackbone':
        """Sets the mode and returns self, as torch does and mmdet does not.

        Frozen stages and, with ``norm_eval``, the norms stay in evaluation mode.
        """
        super().train(mode)
        return self

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        check_attention_weights(self, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def one_per_stage(name: str, value: Any, num_stages: int) -> list:
    """One value for each stage, of an argument that gives one for all or one each.

    Raises:
        UserError: If it is a sequence of another length than ``num_stages``.
    """
    if not _is_list(value):
        return [value] * num_stages
    if len(value) != num_stages:
        raise UserError(
            f'{name} must be one for all or one a stage, {num_stages} in all, '
            f'got {len(value)}: {value!r}'
        )
    return list(value)


def stages_with_attention(
    stages: bool | Sequence[bool] | None, num_stages: int
) -> list[bool]:
    """Whether each stage has attention; for None all but the first.

    Raises:
        UserError: If ``stages`` is not one bool for all or one a stage.
    """
    if stages is None:
        return [stage > 0 for stage in range(num_stages)]
    chosen = one_per_stage('stages', stages, num_stages)
    if not all(isinstance(value, bool) for value in chosen):
        raise UserError(
            'stages must say True or False for every stage, such as '
            f'(False, True, True, True) for c3 to c5; got {stages!r}'
        )
    return chosen


def choose_blocks(
    name: str, blocks: Any, stage: int, num_stages: int, num_blocks: int
) -> Sequence[int]:
    """Numbers of the blocks of a stage that an argument chooses.

    Args:
        name (str): The argument's name.
        blocks (str | Sequence[Sequence[int]]): 'all', 'last', or the numbers of every
            stage's blocks, from 0.
        stage (int): Number of the stage, from 0.
        num_stages (int): Number of stages.
        num_blocks (int): Number of the stage's blocks.

    Raises:
        UserError: If it is none of these, or the stage has no such block.
    """
    if isinstance(blocks, str) and blocks in ('all', 'last'):
        return range(num_blocks) if blocks == 'all' else [num_blocks - 1]
    if not (
        _is_list(blocks) and len(blocks) == num_stages and all(map(_is_list, blocks))
    ):
        raise UserError(
            f"{name} must be 'all', 'last', or for each of the {num_stages} stages the "
            f'numbers of its blocks, such as ((), (1, 3), (5,), ()); got {blocks!r}'
        )
    for number in blocks[stage]:
        if type(number) is not int or not 0 <= number < num_blocks:
            raise UserError(
                f'{name} names block {number!r} of stage {stage + 1}, which has '
                f'blocks 0 to {num_blocks - 1}'
            )
    chosen: Sequence[int] = blocks[stage]
    return chosen


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def eca_per_stage(kernel_size: KernelSize, num_stages: int) -> list[dict]:
    """Configs of the ECA layers with these kernel sizes."""
    return [
        dict(type='mmdet.ECALayer', kernel_size=size)
        for size in one_per_stage('kernel_size', kernel_size, num_stages)
    ]
