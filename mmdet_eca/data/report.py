"""What was found, as text and as JSON."""

import json
from dataclasses import dataclass

from ..weights.files import whole_file
from .anchors import Anchors
from .coco_file import CocoFile
from .findings import Findings
from .kinds import KINDS, SEVERITIES


@dataclass
class Report:
    """What was found in a data set, or in two.

    Attributes:
        sets (list[tuple[CocoFile, str, Findings]]): Annotation file, folder of the
            images and what was found, of the training set and of the validation set if
            there is one.
        anchors (Anchors): What small objects were measured by.
    """

    sets: list[tuple[CocoFile, str, Findings]]
    anchors: Anchors

    def count(self, severity: str) -> int:
        """Number of kinds of a severity that were found."""
        return sum(len(found.of_severity(severity)) for _, _, found in self.sets)

    def __str__(self) -> str:
        lines = []
        for data, _, findings in self.sets:
            lines.append(f'{data.path}: {data}')
            lines += [
                f'{mark:<9}{found}'
                for mark, severity in zip(('ERROR', 'warning', 'note'), SEVERITIES)
                for found in findings.of_severity(severity)
            ]
            if not findings:
                lines.append('nothing to report')
        counts = [_plural(self.count(severity), severity) for severity in SEVERITIES]
        return '\n'.join([*lines, f'in all: {", ".join(counts)}'])

    def to_json(self) -> str:
        """The same for programs, with all ids. `docs/your_data.md` lists the keys."""
        content = dict(
            errors=self.count('error'),
            warnings=self.count('warning'),
            notes=self.count('note'),
            test_scale=self.anchors.scale,
            smallest_anchor=self.anchors.sizes[0] if self.anchors.sizes else None,
            data_sets=[
                dict(
                    annotations=data.path,
                    images=folder,
                    counts=dict(
                        images=len(data.file_names),
                        objects=len(data.ids),
                        categories=len(data.classes),
                    ),
                    findings=[
                        dict(
                            kind=found.kind,
                            severity=found.severity,
                            subject=KINDS[found.kind].subject,
                            count=len(found.ids),
                            of=found.of,
                            text=f'{KINDS[found.kind].text}{found.detail}',
                            remedy=KINDS[found.kind].remedy,
                            examples=found.examples,
                            ids=found.ids,
                        )
                        for severity in SEVERITIES
                        for found in findings.of_severity(severity)
                    ],
                )
                for data, folder, findings in self.sets
            ],
        )
        return json.dumps(content, indent=1)

    def write_json(self, path: str) -> None:
        """Writes the JSON into a file, which appears whole."""
        with (
            whole_file(path) as unfinished,
            open(unfinished, 'w', encoding='utf-8') as file,
        ):
            file.write(self.to_json() + '\n')


def _plural(count: int, word: str) -> str:
    kinds = 'kind' if count == 1 else 'kinds'
    return f'{count} {kinds} of {word}s'
