"""The networks of Table 3, and the same ones of other libraries."""

from collections.abc import Collection
from typing import NamedTuple

from torch import nn

from ..config_paths import config_path
from ..errors import UserError
from .rows import build_row, import_peer

LIBRARIES = ('timm', 'mmpretrain')


class PaperSpeed(NamedTuple):
    """A row of the paper's Table 3.

    Attributes:
        name (str): Name of its config in ``configs/imagenet``.
        backbone (str): The paper's name of the network that it is in.
        train_fps (int, optional): The paper's images a second in training.
        inference_fps (int, optional): The paper's in inference.
        operations (float): Multiply-adds for an image.
    """

    name: str
    backbone: str
    train_fps: int | None
    inference_fps: int | None
    operations: float

    def speed(self, column: str) -> int | None:
        """Images a second in ``training`` or ``inference``."""
        return self.train_fps if column == 'training' else self.inference_fps


def find_libraries() -> tuple[list[str], list[str]]:
    """Those of ``LIBRARIES`` that can be imported, and why the others cannot."""
    found, reasons = [], []
    for library in LIBRARIES:
        try:
            import_peer(library)
        except UserError as error:
            reasons.append(str(error))
        else:
            found.append(library)
    return found, reasons


def paper_row(name: str, size: tuple[int, int]) -> str:
    """Returns the text that builds a row of the paper, see :func:`build_row`.

    Args:
        name (str): Name of its config in ``configs/imagenet``.
        size (tuple[int]): Height and width of the images in pixels.
    """
    row = config_path(f'imagenet/{name}.py')
    # AA-Net has weights for every position of its maps.
    return f'{row}@backbone.image_size={size}' if name.startswith('aa_') else row


def peer_rows(backbone: str, libraries: Collection[str]) -> dict[str, str]:
    """Returns the texts that build other libraries' networks, by name in the table.

    timm's ECA-Nets have the stem and the shortcuts of ResNet-D. Our ECA-Net of that
    kind comes with them.

    Args:
        backbone (str): The paper's name of the network.
        libraries (Collection[str]): Some of ``LIBRARIES``.
    """
    kind, _, depth = backbone.partition('-')
    if kind != 'ResNet':
        return {}
    rows = {}
    if 'timm' in libraries:
        names = [f'resnet{depth}', f'seresnet{depth}']
        if depth in ('50', '101'):
            path = config_path('imagenet/eca_resnet50d_modern.py')
            rows[f'eca_resnet{depth}d'] = f'{path}@backbone.depth={depth}'
            names.append(f'ecaresnet{depth}d')
        rows.update({f'timm:{name}': f'timm:{name}' for name in names})
    if 'mmpretrain' in libraries and depth in ('50', '101', '152'):
        rows[f'mmpretrain:SEResNet-{depth}'] = f'mmpretrain:SEResNet@depth={depth}'
    return rows


def build_classifier(row: str, plain: str) -> nn.Module:
    """Builds the ImageNet classifier of a row.

    Args:
        row (str): The text that builds it, see :func:`build_row`.
        plain (str): The text that builds the plain classifier. Another library's
            backbone takes the place of the one in it: all have one head and loss.
    """
    if row.partition(':')[0] not in LIBRARIES:
        return build_row(row, False)
    classifier = build_row(plain, False)
    classifier.backbone = build_row(row, True)
    return classifier
