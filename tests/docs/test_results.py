"""The pages have the figures that the kept results give."""

import os.path as osp
import re

import pytest

from mmdet_eca.paper import DIGITS, PHOTOGRAPHS, KeptResults, write_seeds_report
from tests.conftest import ROOT

RESULTS = osp.join(ROOT, 'docs', 'results')


@pytest.fixture(scope='module', params=[DIGITS, PHOTOGRAPHS], ids=lambda s: s.name)
def study(request):
    return request.param


@pytest.fixture(scope='module')
def report(study, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp('report'))
    return write_seeds_report(study, folder, RESULTS, folder)[1]


def cells(page):
    """The rows of the tables in a page, however wide their cells are."""
    return {
        tuple(cell.strip().strip('-') for cell in line.split('|'))
        for line in page.splitlines()
        if line.startswith('|')
    }


def read(*path):
    with open(osp.join(ROOT, 'docs', *path), encoding='utf-8') as file:
        return file.read()


def section(study):
    """What the page says of a study."""
    heading = dict(digits='## On Digits-COCO', photographs='## On photographs')
    page = read('does_attention_help.md').split(heading[study.name])[1]
    return page.split('\n## ')[0]


def test_the_record_has_every_table_of_the_report(study, report):
    record = dict(digits='digits_coco.md', photographs='photographs.md')[study.name]
    assert cells(report) <= cells(read('records', record))


def test_the_summary_has_the_first_column_of_each_table(study, report):
    found = set().union(*cells(report))
    summary = [row[2:-2] for row in cells(section(study)) if '±' in row[2]]
    assert summary
    for plain, *differences in summary:
        assert {plain, *differences} <= found


def test_every_result_was_measured_on_a_commit(study):
    records = KeptResults(RESULTS, study.rows()).read()
    assert re.search(rf'\b{len(records)}\s+runs\b', section(study))
    for record in records:
        assert record.commit and not record.commit.endswith('dirty'), record
