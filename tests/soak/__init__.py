"""Kills trainings at random and looks for what is lost.

    python -m tests.soak --minutes 30

A trial trains to the end however often it is killed, and is compared bit by bit with
the same training without interruption. Each trial is one line of a JSON file; the
folder of one that has lost something is kept.

Trainings are forked from this process, since importing takes longer than training;
tests/training/resuming/test_processes.py starts them as users do.
"""
