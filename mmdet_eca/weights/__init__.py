"""Reads checkpoints safely, and converts them to this package's parameter names.

``files.py`` reads files, ``schemes.py`` adds names of checkpoints to mmengine's, and
``sources/`` has one file for each project whose checkpoints can be converted.
"""
