"""Differences of two rows that are paired by seed, and how many seeds show one."""

import math
from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np
from scipy import stats

# The number of seeds that are needed is given for a difference of this, in percent.
SMALL_DIFFERENCE = 1
POWER = 0.8


def paired_difference(
    values: Mapping[int, float], plain: Mapping[int, float]
) -> dict[str, Any]:
    """Computes the difference of a row to the plain one, paired by the seed.

    Args:
        values (Mapping[int, float]): Results of the row by seed.
        plain (Mapping[int, float]): Results of the plain row by seed.

    Returns:
        dict: ``difference``, ``low``, ``high``, ``std_difference``, ``paired`` and
        ``seeds_needed`` of :func:`collect_seeds`.
    """
    keys = ('difference', 'low', 'high', 'std_difference', 'paired', 'seeds_needed')
    result: dict[str, Any] = dict.fromkeys(keys)
    seeds = sorted(set(values) & set(plain))
    if not seeds:
        return result
    ours, theirs = (np.array([row[seed] for seed in seeds]) for row in (values, plain))
    differences = ours - theirs
    result.update(difference=float(differences.mean()), paired=len(seeds))
    if len(seeds) > 1:
        std = float(differences.std(ddof=1))
        low, high = map(float, stats.ttest_rel(ours, theirs).confidence_interval())
        needed = seeds_needed(std, SMALL_DIFFERENCE)
        result.update(low=low, high=high, std_difference=std, seeds_needed=needed)
    return result


def seeds_needed(std: float, difference: float) -> int:
    """Returns how many paired seeds show a difference four times in five.

    That is the smallest number with which a two-sided paired t-test at 5 % has a power
    of 80 % (Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988),
    by the noncentral t distribution. The chance to reject on the wrong side, below
    1e-4 then, is left out.

    Args:
        std (float): Standard deviation of the paired differences.
        difference (float): The true mean difference, not zero.
    """
    effect = min(abs(difference) / max(std, 1e-12), 50)  # beyond, scipy's is NaN
    return next(
        seeds
        for seeds in count(2)
        if stats.nct.sf(
            stats.t.ppf(0.975, seeds - 1), seeds - 1, effect * math.sqrt(seeds)
        )
        >= POWER
    )
