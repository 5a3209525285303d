"""Makers of hostile files: each takes a ``random.Random`` and a folder, gives a path."""
