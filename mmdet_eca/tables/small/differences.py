"""Means over seeds, and differences of rows whose runs are paired by the seed."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
POWER = 0.8


class Difference(NamedTuple):
    """The mean difference of two rows over the seeds that both have.

    Attributes:
        mean (float): Mean of the differences.
        low (float, optional): Lower end of its 95 % confidence interval, by
            Student's t distribution; None for one seed.
        high (float, optional): The upper end.
        std (float, optional): Standard deviation of the differences; None for one
            seed.
        seeds (int): Number of seeds that both rows have.
    """

    mean: float
    low: float | None
    high: float | None
    std: float | None
    seeds: int


def paired_difference(
    values: Mapping[int, float], plain: Mapping[int, float]
) -> Difference | None:
    """The difference of a row to the plain one, with its confidence interval.

    Args:
        values (Mapping[int, float]): Results of the row by seed.
        plain (Mapping[int, float]): Those of the plain row.

    Returns:
        Difference, optional: None without a seed that both have.
    """
    seeds = sorted(set(values) & set(plain))
    if not seeds:
        return None
    differences = np.array([values[seed] - plain[seed] for seed in seeds])
    mean = float(differences.mean())
    if len(seeds) == 1:
        return Difference(mean, None, None, None, 1)
    std = float(differences.std(ddof=1))
    # Half the interval: the t quantile times the standard error of the mean.
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(seeds) - 1))
    half = quantile * std / len(seeds) ** 0.5
    return Difference(mean, mean - half, mean + half, std, len(seeds))


def seeds_needed(std: float, difference: float) -> int:
    """How many paired seeds show a difference four times in five.

    That is the smallest number with which a two-sided paired t-test at 5 % has a power
    of 80 % (Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988),
    by the noncentral t distribution.

    Args:
        std (float): Standard deviation of the paired differences.
        difference (float): The true mean difference, not zero.
    """
    seeds = 2
    while _power(seeds, abs(difference) / max(std, 1e-12)) < POWER:
        seeds += 1
    return seeds


def _power(seeds: int, effect: float) -> float:
    """Power of the test for a difference of ``effect`` standard deviations."""
    freedom, shift = seeds - 1, effect * seeds**0.5
    critical = stats.t.ppf((1 + CONFIDENCE) / 2, freedom)
    above = stats.nct.sf(critical, freedom, shift)
    # On the wrong side; nct gives NaN there for shifts that leave nothing.
    below = np.nan_to_num(stats.nct.cdf(-critical, freedom, shift))
    return float(above + below)
