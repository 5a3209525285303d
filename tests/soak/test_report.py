"""The numbers of a report, added by hand."""

import json

import pytest

from tests.soak.lines import append_line, read_lines
from tests.soak.report import count_lost, rate, write_report

TRIAL = dict(
    kind='all',
    model='toy',
    processes=1,
    command='fork',
    kills=3,
    while_writing=1,
    resumes=2,
    largest_difference=0.0,
    full_disks=0,
    lost=[],
)
CHAOS = [
    dict(TRIAL, seed=4, trial=0),
    dict(TRIAL, seed=4, trial=1, kills=4, while_writing=4, largest_difference=0.25),
    dict(TRIAL, seed=4, trial=2, kind='disk full', kills=0, resumes=0, full_disks=5),
]
STATE = dict(commit='abc', seconds=1800, ends=0)


def report(folder, chaos=(), state=STATE):
    path = folder / 'report.md'
    write_report(str(path), state, list(chaos))
    return path.read_text()


def test_kills_are_added_by_kind(tmp_path):
    text = report(tmp_path, CHAOS)
    assert 'Commit abc, ' in text and ' 0.50 hours on ' in text and ', torch ' in text
    assert '| all | toy | 1 | fork | 2 | 7 | 5 | 4 | 0 | 0 |' in text
    assert '| disk full | toy | 1 | fork | 1 | 0 | 1 | 0 | 5 | 0 |' in text
    assert '| all |  |  |  | 3 | 7 | 6 | 4 | 5 | 0 |' in text
    assert 'Largest difference from the uninterrupted run: 0.25.' in text
    assert 'Nothing was lost.' in text and '## Lost' not in text


def test_fewer_than_aimed_at_are_extrapolated(tmp_path):
    text = report(tmp_path, CHAOS)
    # 7 in half an hour: 1,000 in 1000 / 14 hours.
    assert '7 kills, 14 an hour; 1,000 would take 71.4 hours.' in text
    assert rate('kills', 1200, 2, 1000) == (
        '1,200 kills, 600 an hour; 1,000 were aimed at.'
    )


def test_what_is_lost_is_shown_in_full(tmp_path):
    lost = dict(TRIAL, seed=4, trial=7, lost=['loss of 3 differs by 0.5', 'hangs'])
    assert count_lost([*CHAOS, lost]) == 2
    text = report(tmp_path, [*CHAOS, lost])
    assert '**Lost: 2, see the end**' in text
    assert json.dumps(lost) in text
    assert '| all | toy | 1 | fork | 3 | 10 | 6 | 6 | 0 | 2 |' in text


def test_nothing_yet(tmp_path):
    text = report(tmp_path, state=dict(STATE, seconds=0, ends=2))
    assert text.count('None yet.') == 1
    assert 'A harness ended too early 2 times' in text


@pytest.mark.parametrize('cut', ['', '{"a": 1', '{"a": 1, "b": [\n'])
def test_a_line_that_a_kill_cut_off_is_passed_over(cut, tmp_path):
    path = tmp_path / 'lines.jsonl'
    append_line(path, dict(a=0))
    with open(path, 'a') as file:
        file.write(cut)
    append_line(path, dict(a=2))
    assert read_lines(path) == [dict(a=0), dict(a=2)]
