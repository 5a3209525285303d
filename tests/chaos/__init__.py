"""Kills trainings at random and looks for what is lost.

    python -m tests.chaos --minutes 30

A trial trains to the end however often it is killed, and is compared bit by bit with
the same training without interruption. Each trial is one line of a JSON file; a run
with the same file goes on after its last trial.

Most trainings are forked from a process that has imported everything (server.py),
since importing takes longer than training; the others are started as users start them
(starts.py). What differs between trials is drawn in scenarios.py, and done in
trial.py. witness.py writes down what a training does, checks.py what is lost.
"""
