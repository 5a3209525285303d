"""The findings in a data set."""

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from ..errors import UserError
from .kinds import ERROR, KINDS, SEVERITIES

_EXAMPLES = 3
# The verbs of KINDS, for one.
_SINGULAR = dict(have='has', are='is', lack='lacks', end='ends', were='was')
_VERB = re.compile(rf'\b({"|".join(_SINGULAR)})\b')


@dataclass
class Finding:
    """All findings of one kind.

    Attributes:
        kind (str): A key of ``KINDS``.
        severity (str): 'error', 'warning' or 'note'.
        ids (list): Ids, each once for each time.
        of (int): Number of images, objects or others that were looked at.
        examples (list[str]): The first few, described.
        detail (str): Stands behind the text, such as the size of an anchor.
    """

    kind: str
    severity: str
    ids: list = field(default_factory=list)
    of: int = 0
    examples: list[str] = field(default_factory=list)
    detail: str = ''

    def __str__(self) -> str:
        """One line: how many, what, examples and what to do."""
        kind = KINDS[self.kind]
        examples = ', '.join(self.examples)
        if len(self.ids) > _EXAMPLES >= len(self.examples):
            examples += ', ...'
        text = kind.text
        if len(self.ids) == 1:
            text = _VERB.sub(lambda verb: _SINGULAR[verb[0]], text, count=1)
        return (
            f'{len(self.ids):,} of {self.of:,} {kind.subject} {text}{self.detail} '
            f'({examples}): {kind.remedy}'
        )


class Findings(dict[str, Finding]):
    """The findings by kind.

    Args:
        path (str): The annotation file.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def add(
        self,
        kind: str,
        ids: Iterable[Hashable],
        of: int,
        examples: Sequence[str] | None = None,
        severity: str | None = None,
        detail: str = '',
    ) -> None:
        """Adds findings of a kind; nothing if ``ids`` is empty.

        Args:
            kind (str): A key of ``KINDS``.
            ids (Iterable): Ids of images, objects or categories.
            of (int): Number that were looked at in all.
            examples (Sequence[str], optional): The first few, described; by default
                by their ids.
            severity (str, optional): Another severity than the kind's.
            detail (str): Stands behind the text.
        """
        ids = list(ids)
        if not ids:
            return
        if examples is None:
            examples = [f'id {shortened(value)}' for value in ids[:_EXAMPLES]]
        found = self.setdefault(
            kind, Finding(kind, severity or KINDS[kind].severity, detail=detail)
        )
        found.ids += ids
        found.of = max(found.of, of)
        more = examples[: _EXAMPLES - len(found.examples)]
        found.examples += [on_one_line(example) for example in more]

    def of_severity(self, severity: str) -> list[Finding]:
        """Returns the findings of a severity, in the order of ``KINDS``."""
        found = (self[kind] for kind in KINDS if kind in self)
        return [one for one in found if one.severity == severity]

    def in_order(self) -> list[Finding]:
        """Returns all findings, the errors first."""
        return [one for severity in SEVERITIES for one in self.of_severity(severity)]

    def refuse_errors(self, hint: str = '') -> None:
        """Raises the first error, and says how many more kinds there are.

        Raises:
            UserError: If there is an error; ``hint`` stands behind it.
        """
        errors = self.of_severity(ERROR)
        if errors:
            more = f'; and {len(errors) - 1} more kinds of errors' * (len(errors) > 1)
            raise UserError(f'{self.path}: {errors[0]}{more}{hint}')


def shortened(value: object) -> str:
    """Writes a value as Python does, cut off if it is long."""
    return on_one_line(repr(value), 100)


def on_one_line(text: str, limit: int = 250) -> str:
    """Escapes what cannot be printed, such as line breaks, and cuts a long text off."""
    text = text[: limit + 1]
    if not text.isprintable():
        text = repr(text)[1:-1]
    return text if len(text) <= limit else f'{text[:limit]}...'
