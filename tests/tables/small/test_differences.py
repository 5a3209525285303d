"""The statistics, against scipy's own tests and Cohen's tables."""

import numpy as np
import pytest
from scipy import stats

from mmdet_eca.tables.small import paired_difference, seeds_needed


def test_the_interval_is_that_of_the_paired_t_test():
    rng = np.random.default_rng(0)
    for seeds in (2, 3, 6, 30):
        row, plain = rng.normal(50, 2, (2, seeds))
        found = paired_difference(dict(enumerate(row)), dict(enumerate(plain)))
        wanted = stats.ttest_rel(row, plain)
        assert found.mean == pytest.approx((row - plain).mean())
        assert (found.low, found.high) == pytest.approx(wanted.confidence_interval())
        assert found.std == pytest.approx(np.std(row - plain, ddof=1))
        # Zero is outside the interval where the test rejects.
        assert (found.low > 0 or found.high < 0) == (wanted.pvalue < 0.05)


def test_only_seeds_of_both_rows_count():
    found = paired_difference({0: 5, 2: 7, 9: 100}, {0: 4, 1: -100, 2: 4})
    assert (found.mean, found.seeds) == (2, 2)
    assert paired_difference({0: 1}, {1: 1}) is None


def test_one_seed_has_no_interval():
    assert paired_difference({3: 5}, {3: 4}) == (1, None, None, None, 1)


def test_equal_differences_have_an_interval_of_no_width():
    assert paired_difference({0: 2, 1: 3}, {0: 1, 1: 2}) == (1, 1, 1, 0, 2)


# Sample sizes of the two-sided paired t-test at 5 % with a power of 80 %, by the
# difference in standard deviations: G*Power's.
@pytest.mark.parametrize(
    ('effect', 'seeds'), [(0.2, 199), (0.5, 34), (0.8, 15), (1, 10)]
)
def test_seeds_needed_are_those_of_the_tables(effect, seeds):
    assert seeds_needed(1, effect) == seeds == seeds_needed(2, -2 * effect)


def test_the_power_is_what_random_runs_show():
    """Four in five experiments with so many seeds find the difference."""
    seeds = seeds_needed(1.5, 2)
    runs = np.random.default_rng(0).normal(2, 1.5, (20_000, seeds))
    found = (stats.ttest_1samp(runs, 0, axis=1).pvalue < 0.05).mean()
    assert 0.8 - 0.01 < found < 0.9


def test_two_seeds_show_what_does_not_vary():
    assert seeds_needed(0, 1) == 2
