"""The pages of the documentation, and the blocks of code in them."""

import os.path as osp
import re
from dataclasses import dataclass

import yaml
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from tests.conftest import ROOT

_BLOCK = re.compile(
    r'(?:^<!-- not run: (?P<reason>[^\n]+) -->\n+)?'
    r'^```(?P<language>\w*)\n(?P<text>.*?)^```$',
    re.DOTALL | re.MULTILINE,
)


@dataclass
class Block:
    """A fenced block of code.

    Attributes:
        place (str): Page and line, 'docs/install.md:3'.
        language (str): 'bash' for commands, 'python' for a config or a program;
            others are not run.
        text (str): Its content.
        reason (str, optional): Why it cannot be run without data, hardware, the
            network or much time, from the comment before it.
    """

    place: str
    language: str
    text: str
    reason: str | None

    @property
    def runs(self) -> bool:
        """Whether ``python -m tests.docs`` runs it."""
        return self.language in ('bash', 'python') and self.reason is None

    @property
    def is_config(self) -> bool:
        """Whether it is a config of mmengine."""
        return self.language == 'python' and bool(
            re.search(r'^(_base_|custom_imports) =', self.text, re.MULTILINE)
        )


def pages() -> list[str]:
    """Lists README, CONTRIBUTING and the pages of mkdocs.yml's ``nav``.

    The API has no code of its own, and the records have what was run once.
    """
    return ['README.md', 'CONTRIBUTING.md', *nav()]


def nav() -> list[str]:
    """Lists the pages of mkdocs.yml's ``nav`` but the API's and the records."""
    listed: list[str] = []

    def add(part: str | list | dict) -> None:
        if isinstance(part, str):
            listed.append(part)
        else:
            for inner in part.values() if isinstance(part, dict) else part:
                add(inner)

    add(yaml.safe_load(read('mkdocs.yml'))['nav'])
    return [f'docs/{name}' for name in listed if '/' not in name]


def read(page: str) -> str:
    with open(osp.join(ROOT, page), encoding='utf-8') as file:
        return file.read()


def read_blocks(page: str) -> list[Block]:
    """Returns the blocks of a page, in their order."""
    text = read(page)
    return [
        Block(
            f'{page}:{text[: match.start("language")].count(chr(10)) + 1}',
            match['language'],
            match['text'],
            match['reason'],
        )
        for match in _BLOCK.finditer(text)
    ]


def build_config(block: Block) -> nn.Module:
    """Builds a config's model, or its backbone if it has no model."""
    cfg = Config.fromstring(block.text, '.py')
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(cfg.get('model') or cfg.backbone)
