"""Makers of hostile files: of a ``random.Random`` and a folder, a path."""
