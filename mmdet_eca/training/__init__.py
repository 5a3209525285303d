"""What every run uses: command line, checks before it, launching, runner, hooks."""
