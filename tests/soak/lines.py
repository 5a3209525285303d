"""The lines of the harnesses, one JSON object each."""

import json
import os.path as osp


def read_lines(path):
    """What was written; a kill may have cut off the last line."""
    lines = []
    if osp.exists(path):
        with open(path) as file:
            for text in file:
                try:
                    lines.append(json.loads(text))
                except ValueError:
                    continue
    return lines


def append_line(path, line):
    """Adds a line, after one that was cut off too."""
    with open(path, 'a+b') as file:
        cut = file.tell() and not _ends_a_line(file)
        file.write(b'\n' * cut + json.dumps(line).encode() + b'\n')


def _ends_a_line(file):
    file.seek(-1, 2)
    return file.read(1) == b'\n'
