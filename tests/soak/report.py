"""The report of a soak, from the lines of the harnesses."""

import json
import os
import time
from collections import defaultdict

from tests.soak.machine import machine

KILLS = 1000  # what is aimed at
MOST_TEXT = 2000  # characters of one line that is shown in full


def sums(lines, by, counted):
    """Sums numbers of lines by what they are.

    Args:
        lines: Dicts.
        by: Names of the entries that tell them apart.
        counted: Names of the entries that are summed.

    Returns:
        Rows of text, the last the sum of all; each begins with what is counted.
    """
    table = defaultdict(lambda: [0] * (1 + len(counted)))
    for line in lines:
        for key in (tuple(str(line.get(name, '')) for name in by), None):
            row = table[key]
            row[0] += 1
            for i, name in enumerate(counted, 1):
                value = line.get(name, 0)
                row[i] += len(value) if isinstance(value, list) else value
    total = table.pop(None, [0] * (1 + len(counted)))
    rows = [[*key, *table[key]] for key in sorted(table)]
    return [*rows, ['all', *[''] * (len(by) - 1), *total]]


def count_lost(chaos):
    """How much was lost."""
    return sum(len(line['lost']) for line in chaos)


def summary(chaos):
    """For a line on the screen."""
    kills = sum(line['kills'] for line in chaos)
    return f'{kills} kills, {count_lost(chaos)} lost'


def write_report(path, state, chaos):
    """Writes the report; readers find the old one or the new one.

    Args:
        path: The file.
        state: 'commit', 'seconds' done, 'ends': how often a harness ended too early.
        chaos: Lines of tests.chaos.
    """
    hours = state['seconds'] / 3600
    lost = count_lost(chaos)
    day = time.strftime('%Y-%m-%d')
    parts = [
        '# Soak',
        f'Commit {state["commit"]}, {day}, {hours:.2f} hours on {machine()}.',
        f'**{f"Lost: {lost}, see the end" if lost else "Nothing was lost."}**',
    ]
    if state['ends']:
        parts.append(f'A harness ended too early {state["ends"]} times: see its log.')
    parts += ['## Kills', *_kills(chaos, hours)]
    parts += _lost(chaos)
    with open(f'{path}.tmp', 'w') as file:
        file.write('\n\n'.join(parts) + '\n')
    os.replace(f'{path}.tmp', path)


def _kills(lines, hours):
    if not lines:
        return ['None yet.']
    counted = ('kills', 'while_writing', 'resumes', 'full_disks', 'lost')
    by = ('kind', 'model', 'processes', 'command')
    heads = [*by, 'trials', *(name.replace('_', ' ') for name in counted)]
    rows = sums(lines, by, counted)
    largest = max(line['largest_difference'] for line in lines)
    return [
        _table(heads, rows),
        f'Largest difference from the uninterrupted run: {largest:g}.',
        rate('kills', rows[-1][len(by) + 1], hours, KILLS),
    ]


def rate(what, number, hours, aim):
    """How many there are, in an hour, and when there will be as many as aimed at."""
    if not number or not hours:
        return f'No {what} yet.'
    text = f'{number:,} {what}, {number / hours:,.0f} an hour'
    if number >= aim:
        return f'{text}; {aim:,} were aimed at.'
    return f'{text}; {aim:,} would take {aim * hours / number:.1f} hours.'


def _lost(chaos):
    found = [line for line in chaos if line['lost']]
    if not found:
        return []
    texts = [f'    {json.dumps(line)[:MOST_TEXT]}' for line in found]
    how = (
        '`tests.chaos.scenarios.draw(SEED, TRIAL)` draws a trial again, but not the '
        'moments of its kills. Its folder is kept.'
    )
    return ['## Lost', how, *texts]


def _table(heads, rows):
    lines = [heads, ['---'] * len(heads), *rows]
    return '\n'.join(f'| {" | ".join(map(str, line))} |' for line in lines)
