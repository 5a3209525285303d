"""The paper's figures: the rows of its tables, and the points of Figure 4."""

import difflib
import json
import os.path as osp
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from ..errors import UserError

AP_COLUMNS = ('AP', 'AP50', 'AP75', 'APS', 'APM', 'APL')
COLUMNS = ('params_m', 'gflops', *AP_COLUMNS)
TASKS = {5: 'bbox', 6: 'segm'}  # what the AP of each table is of
DETECTORS = dict(
    faster_rcnn='Faster R-CNN', mask_rcnn='Mask R-CNN', retinanet='RetinaNet'
)
# What Figure 1 shows, in ResNets.
FIGURE_1_METHODS = ('ResNet', 'SENet', 'CBAM', 'A2-Nets', 'ECA-Net')
UNITS = {'2^20': 2**20, '2^30': 2**30, '10^6': 10**6, '10^9': 10**9}


class PaperRow(NamedTuple):
    """A row of Table 5, which has box AP, or of Table 6, which has mask AP.

    Attributes:
        table (int): 5 or 6. The Mask R-CNNs are in both.
        detector (str): A key of ``DETECTORS``.
        depth (int): Depth of the ResNet.
        attention (str, optional): The attention in it, None for none.
        paper (dict): The figures of ``COLUMNS`` by name, None where the paper
            has none, and ``source``, see paper_tables.json.
    """

    table: int
    detector: str
    depth: int
    attention: str | None
    paper: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the row's config and of its work directory."""
        attention = f'_{self.attention}' if self.attention else ''
        return f'{self.detector}{attention}_r{self.depth}_fpn_1x'

    @property
    def unconfirmed(self) -> list[str]:
        """Names of the figures that are recalled and were not read again."""
        if self.paper['source'] != 'memory':
            return []
        return [name for name in COLUMNS if self.paper[name] is not None]

    def fields(self) -> dict[str, Any]:
        """What says which row it is, by name."""
        return dict(
            name=self.name,
            table=self.table,
            detector=self.detector,
            depth=self.depth,
            attention=self.attention,
        )


class TickRow(NamedTuple):
    """A row of Table 1: what a way to compute channel attention is like.

    Attributes:
        name (str): Name of its config in ``configs/imagenet``.
        model (str): Its name in the paper.
        no_reduction (bool): Whether it weights channels without reducing their
            number.
        cross_channel (bool): Whether a channel's weight depends on others.
        lightweight (bool, optional): Whether it has fewer parameters than SENet;
            None for SENet.
        sources (list[str]): Where the row was read, see paper_tables.json.
    """

    name: str
    model: str
    no_reduction: bool
    cross_channel: bool
    lightweight: bool | None
    sources: list[str]


class MemberRow(NamedTuple):
    """A row of Table 2: ResNet-50 with a member of the attention family.

    Attributes:
        name (str): Name of its config in ``configs/imagenet``.
        member (str): Its name in the paper.
        weights (str): Number of weights of a layer for C channels.
        top1 (float): Top-1 accuracy in percent.
        top5 (float): Top-5 accuracy in percent.
        sources (list[str]): Where the row was read, see paper_tables.json.
        note (str, optional): What does not fit.
    """

    name: str
    member: str
    weights: str
    top1: float
    top5: float
    sources: list[str]
    note: str | None


class ClassifierRow(NamedTuple):
    """A row of Table 3, or a classifier of the authors' poster.

    Attributes:
        name (str): Name of its config in ``configs/imagenet``.
        method (str): Name of the system in the paper.
        backbone (str): The network that it is in.
        params (float): Number of parameters as printed.
        params_unit (str): Its unit, a key of ``UNITS``.
        flops (float): Number of operations as printed.
        flops_unit (str): Its unit, a key of ``UNITS``.
        train_fps (int, optional): Images a second in training, on four RTX
            2080 Ti; None where the paper has none.
        inference_fps (int, optional): Images a second in inference, likewise.
        top1 (float): Top-1 accuracy in percent.
        top5 (float): Top-5 accuracy in percent.
        sources (list[str]): Where the row was read, see paper_tables.json.
        note (str, optional): What does not fit.
    """

    name: str
    method: str
    backbone: str
    params: float
    params_unit: str
    flops: float
    flops_unit: str
    train_fps: int | None
    inference_fps: int | None
    top1: float
    top5: float
    sources: list[str]
    note: str | None

    @property
    def parameters(self) -> float:
        """Number of parameters, whatever unit was printed."""
        return self.params * UNITS[self.params_unit]

    @property
    def operations(self) -> float:
        """Number of operations, whatever unit was printed."""
        return self.flops * UNITS[self.flops_unit]

    @property
    def in_paper(self) -> bool:
        """Whether the paper has it; the poster alone has ResNet-18 and -34."""
        return self.sources != ['poster']


class NetworkRow(NamedTuple):
    """A row of Table 4: another network, or ECA-Net beside it.

    Attributes:
        name (str, optional): Name of its config in ``configs/imagenet``; None for
            the other networks.
        model (str): Its name in the paper.
        params (float): Number of parameters as printed, in 2^20.
        flops (float): Number of operations as printed, in 2^30.
        top1 (float): Top-1 accuracy in percent.
        top5 (float): Top-5 accuracy in percent.
        sources (list[str]): Where the row was read, see paper_tables.json.
        note (str, optional): What was found about its figures.
    """

    name: str | None
    model: str
    params: float
    flops: float
    top1: float
    top5: float
    sources: list[str]
    note: str | None


class KernelSizePoint(NamedTuple):
    """A point of Figure 4: ECA with a kernel size.

    Attributes:
        name (str): Name of its config in ``configs/imagenet``.
        depth (int): Depth of the ResNet.
        kernel_size (int | str | None): The kernel size; 'adaptive' for the
            formula's, None for SENet.
        top1 (float): Top-1 accuracy in percent.
        sources (list[str]): The table that prints it, or 'measured' off a
            picture of the figure, +-0.01.
    """

    name: str
    depth: int
    kernel_size: int | str | None
    top1: float
    sources: list[str]


def load_paper_rows() -> list[PaperRow]:
    """The rows of Tables 5 and 6, in the paper's order."""
    return [
        PaperRow(
            row['table'],
            row['detector'],
            row['depth'],
            row['attention'],
            {name: row[name] for name in (*COLUMNS, 'source')},
        )
        for row in _sections()['detectors']
    ]


def load_tick_rows() -> list[TickRow]:
    """The rows of Table 1, in the paper's order."""
    return [TickRow(**row) for row in _sections()['table_1']]


def load_member_rows() -> list[MemberRow]:
    """The rows of Table 2, in the paper's order."""
    return [MemberRow(**row) for row in _sections()['table_2']]


def load_classifier_rows() -> list[ClassifierRow]:
    """The rows of Table 3 in the paper's order, then those of the poster alone."""
    return [ClassifierRow(**row) for row in _sections()['table_3']]


def figure_1_rows() -> list[ClassifierRow]:
    """The rows of Table 3, and of the poster, that Figure 1 shows."""
    return [
        row
        for row in load_classifier_rows()
        if row.method in FIGURE_1_METHODS and row.backbone.startswith('ResNet')
    ]


def load_network_rows() -> list[NetworkRow]:
    """The rows of Table 4, in the paper's order."""
    return [NetworkRow(**row) for row in _sections()['table_4']]


def load_kernel_size_points() -> list[KernelSizePoint]:
    """The points of Figure 4, by depth and kernel size."""
    return [KernelSizePoint(**point) for point in _sections()['figure_4']]


@cache
def _sections() -> dict[str, list[dict[str, Any]]]:
    """The rows of paper_tables.json by table."""
    path = osp.join(osp.dirname(osp.abspath(__file__)), 'paper_tables.json')
    with open(path, encoding='utf-8') as file:
        return json.load(file)


def table_5_rows(names: Sequence[str] = ()) -> list[PaperRow]:
    """The rows of Table 5, which has every detector of Table 6 too.

    Args:
        names (Sequence[str]): Names of the wanted rows; empty for all.

    Raises:
        UserError: If there is no row of a name.
    """
    rows = {row.name: row for row in load_paper_rows() if row.table == 5}
    check_names(names, rows)
    return [row for name, row in rows.items() if not names or name in names]


def check_names(names: Iterable[str], known: Collection[str]) -> None:
    """Checks that these are names of rows.

    Raises:
        UserError: If one is not; the message has the nearest and all that are.
    """
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f', did you mean {near[0]}?' if near else '.'
            raise UserError(
                f'there is no row {name!r}{hint} The rows are {", ".join(known)}'
            )


def format_figure(row: PaperRow, name: str, decimals: int = 1) -> str:
    """A figure of the paper: '-' without one, '?' after an unconfirmed one."""
    if row.paper[name] is None:
        return '-'
    mark = '?' if name in row.unconfirmed else ''
    return f'{row.paper[name]:.{decimals}f}{mark}'
