"""The pages of the documentation, and the blocks of code in them."""

import glob
import os.path as osp
import re
from dataclasses import dataclass

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
        place (str): Page and line, 'docs/digits.md:3'.
        language (str): 'bash' for commands, 'python' for a config or a program;
            any other is read only.
        text (str): What is in it.
        reason (str, optional): Why it cannot be run without data, hardware, the
            network or much time, by the comment before it.
    """

    place: str
    language: str
    text: str
    reason: str | None

    @property
    def runs(self) -> bool:
        """Whether it is run as it stands."""
        return self.language in ('bash', 'python') and self.reason is None

    @property
    def is_config(self) -> bool:
        """Whether it sets what a config of mmengine sets."""
        return self.language == 'python' and bool(
            re.search(r'^(_base_|custom_imports) =', self.text, re.MULTILINE)
        )


def pages() -> list[str]:
    """Paths of all pages but the API's, which have no code of their own."""
    names = [osp.basename(path) for path in glob.glob(osp.join(ROOT, 'docs', '*.md'))]
    return ['README.md', 'CONTRIBUTING.md', *(f'docs/{name}' for name in sorted(names))]


def read(page: str) -> str:
    with open(osp.join(ROOT, page), encoding='utf-8') as file:
        return file.read()


def read_blocks(page: str) -> list[Block]:
    """The blocks of a page, in their order."""
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
    """Builds what a config describes: its model, or the backbone that it shows."""
    cfg = Config.fromstring(block.text, '.py')
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(cfg.get('model') or cfg.backbone)
