"""Docstrings as mkdocstrings wants them: what mmdet writes otherwise."""

import re

import griffe


class MMDetDocstrings(griffe.Extension):
    """Roles of Sphinx become plain code, a section ``Example`` the ``Examples``."""

    def on_object(self, *, obj, **kwargs):
        """Rewrites the docstring of whatever griffe has just read."""
        if obj.docstring is not None:
            text = re.sub(r':(?:class|func|meth|mod):`', '`', obj.docstring.value)
            obj.docstring.value = re.sub(r'(?m)^Example:$', 'Examples:', text)
