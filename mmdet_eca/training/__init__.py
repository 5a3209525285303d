"""The parts of every run: command line, checks, launching, runner, hooks."""
