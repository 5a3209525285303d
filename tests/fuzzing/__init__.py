"""Hostile files by the ten thousand, for every reader of the package.

    python -m tests.fuzzing --minutes 30

``kinds.py`` lists the kinds of input: a maker, in ``inputs/``, and the reader that gets
the file, in ``readers.py``. ``worker.py`` has a process of its own read it, which may
crash or hang; ``oracle.py`` says what is right: the file is read, or refused by a
UserError of one line. ``runs.py`` goes through kinds and seeds and writes the report.
"""
