"""The pages have the figures that the kept results give."""

import os.path as osp
import re

import pytest

from mmdet_eca.paper import DIGITS, KeptResults, write_seeds_report
from tests.conftest import ROOT

RESULTS = osp.join(ROOT, 'docs', 'results')


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp('report'))
    return write_seeds_report(DIGITS, folder, RESULTS, folder)


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


def test_the_record_has_every_table_of_the_report(report):
    _, text = report
    assert cells(text) <= cells(read('records', 'digits_coco.md'))


def test_the_summary_has_the_first_column_of_each_table(report):
    _, text = report
    found = set().union(*cells(text))
    page = read('does_attention_help.md')
    summary = [row[2:-2] for row in cells(page) if '±' in row[2]]
    assert summary
    for plain, *differences in summary:
        assert {plain, *differences} <= found


def test_every_result_was_measured_on_a_commit():
    records = KeptResults(RESULTS, DIGITS.rows()).read()
    page = read('does_attention_help.md')
    assert re.search(rf'\b{len(records)}\s+runs\b', page)
    for record in records:
        assert record.commit and not record.commit.endswith('dirty'), record
