"""The findings as text and as JSON."""

import json
from dataclasses import dataclass

from .anchors import Anchors
from .coco_file import CocoFile
from .findings import Finding
from .kinds import ERROR, KINDS, SEVERITIES


@dataclass
class Report:
    """The findings in a data set, or in two.

    Attributes:
        sets (list[CocoFile]): The training set, and the validation set if there is one.
        anchors (Anchors): The anchors that small objects were compared with.
    """

    sets: list[CocoFile]
    anchors: Anchors

    def count(self, severity: str) -> int:
        """Counts the kinds of a severity that were found."""
        return sum(len(data.findings.of_severity(severity)) for data in self.sets)

    def __str__(self) -> str:
        lines = []
        for data in self.sets:
            lines.append(f'{data.path}: {data}')
            for found in data.findings.in_order():
                mark = 'ERROR' if found.severity == ERROR else found.severity
                lines.append(f'{mark:<9}{found}')
            if not data.findings:
                lines.append('nothing to report')
        numbers = {severity: self.count(severity) for severity in SEVERITIES}
        counts = [f'{n} {s}{"s" * (n != 1)}' for s, n in numbers.items()]
        return '\n'.join([*lines, f'kinds of problems: {", ".join(counts)}'])

    def to_json(self) -> str:
        """Returns the same for programs; ``docs/your_data.md`` lists the keys."""
        content = dict(
            errors=self.count('error'),
            warnings=self.count('warning'),
            notes=self.count('note'),
            test_scale=self.anchors.scale,
            smallest_anchor=self.anchors.sizes[0] if self.anchors.sizes else None,
            data_sets=[
                dict(
                    annotations=data.path,
                    images=data.folder,
                    counts=dict(
                        images=len(data.file_names),
                        objects=len(data.ids),
                        categories=len(data.classes),
                    ),
                    findings=[_as_dict(one) for one in data.findings.in_order()],
                )
                for data in self.sets
            ],
        )
        return json.dumps(content, indent=1)


def _as_dict(found: Finding) -> dict:
    kind = KINDS[found.kind]
    return dict(
        kind=found.kind,
        severity=found.severity,
        subject=kind.subject,
        count=len(found.ids),
        of=found.of,
        text=f'{kind.text}{found.detail}',
        remedy=kind.remedy,
        examples=found.examples,
        ids=found.ids,
    )
