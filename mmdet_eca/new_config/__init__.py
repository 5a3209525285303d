"""From a COCO annotation file to a config that trains.

``write_config.py`` does all of it: ``detectors.py`` finds the base config, ``scale.py``
and ``schedule.py`` decide by the data and the machine, ``split.py`` sets images aside
for validation, ``config_text.py`` writes what comes out.
"""

from .write_config import write_config

__all__ = ['write_config']
