"""Kills for hours, with a report.

    python -m tests.soak --minutes 120

It runs tests.chaos in one thread, and writes report.md into its folder. Killed
and started again it goes on until the minutes are done. Lines of another commit are put
aside, not mixed in. The exit status is 1 if anything was lost.
"""
