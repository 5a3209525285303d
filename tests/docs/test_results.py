"""docs/results.md says what the results that are kept give."""

import os.path as osp

from mmdet_eca.tables.small import read_records, write_small_report
from tests.conftest import ROOT

RESULTS = osp.join(ROOT, 'docs', 'results')


def test_the_tables_are_those_of_the_report(tmp_path):
    write_small_report(str(tmp_path), RESULTS, str(tmp_path))
    with open(osp.join(ROOT, 'docs', 'results.md')) as file:
        page = [squeezed(line) for line in file]
    report = (tmp_path / 'digits.md').read_text()
    for line in report.splitlines():
        if line.startswith('|'):
            assert squeezed(line) in page


def squeezed(line):
    """A line of a table, however wide its cells are."""
    return '|'.join(cell.strip().strip('-') for cell in line.split('|'))


def test_every_result_was_measured_on_a_commit():
    for record in read_records(RESULTS):
        assert record.commit and not record.commit.endswith('dirty'), record
