"""Compare two reports query by query, with significance tests."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.stats import permutation_test

from ragcli.errors import RagcliError, UsageError
from ragcli.evaluate.report import COSTS, Report, changed_data, is_worse, mean

RESAMPLES = 10_000
_SEED = 0
_AT_ONCE = 500  # resamples in memory at once


class Difference(NamedTuple):
    """Compare one measure: both means over the shared queries, the p-value, and the wins, ties and losses of B."""

    measure: str
    a: float
    b: float
    p_value: float | None
    wins: int
    ties: int
    losses: int

    @property
    def change(self) -> float:
        """Return the difference of B and A."""
        return self.b - self.a


class Changed(NamedTuple):
    """Name a query whose value changed."""

    query: str
    a: float
    b: float


class Comparison(NamedTuple):
    """Hold two compared reports: all measures, and each query's values by one of them, in A's order."""

    a: Report
    b: Report
    shared: int
    only_a: int
    only_b: int
    changed_data: list[str]
    differences: list[Difference]
    measure: str
    values: list[Changed]

    def most_changed(self, n: int) -> list[Changed]:
        """Return the n queries that changed most, in either direction, ties by id."""
        moved = [value for value in self.values if value.a != value.b]
        return sorted(moved, key=lambda value: (-abs(value.b - value.a), value.query))[:n]


def compare(a: Report, b: Report, measure: str | None = None) -> Comparison:
    """Compare two reports over the queries that both have.

    `measure` is shown query by query, by default the first. Raises RagcliError for reports of different commands or
    without a common query, UsageError for a measure that they do not share.
    """
    if a.command != b.command:
        raise RagcliError(
            f"one report is of `{a.command}`, the other of `{b.command}`", "Compare reports of the same command."
        )
    shared = sorted(a.per_query.keys() & b.per_query.keys())
    if not shared:
        raise RagcliError("the reports have no query in common", "Compare two reports on the same test set.")
    names = [name for name in a.metrics if name in b.metrics and _pairs(a, b, shared, name)]
    if not names:
        raise RagcliError("the reports have no measure in common", "Measure again with the same measures.")
    chosen = next((name for name in names if measure is None or name.lower() == measure.lower()), None)
    if chosen is None:
        raise UsageError(f"the reports do not share the measure {measure!r}", f"They share: {', '.join(names)}.")
    return Comparison(
        a,
        b,
        len(shared),
        len(a.per_query) - len(shared),
        len(b.per_query) - len(shared),
        changed_data(a, b),
        [_difference(name, _pairs(a, b, shared, name)) for name in names],
        chosen,
        [Changed(query, *values) for query, values in _pairs(a, b, shared, chosen).items()],
    )


def _pairs(a: Report, b: Report, queries: list[str], measure: str) -> dict[str, tuple[float, float]]:
    """Return both values of each query for which both are finite numbers."""
    found = {}
    for query in queries:
        one, other = a.per_query[query].get(measure), b.per_query[query].get(measure)
        if one is not None and other is not None and math.isfinite(other - one):
            found[query] = (one, other)
    return found


def _difference(measure: str, pairs: Mapping[str, tuple[float, float]]) -> Difference:
    wins = sum(is_worse(measure, a, b) for a, b in pairs.values())
    losses = sum(is_worse(measure, b, a) for a, b in pairs.values())
    a, b = ([values[i] for values in pairs.values()] for i in (0, 1))
    p_value = None if measure in COSTS else randomisation_test([y - x for x, y in zip(a, b, strict=True)])
    return Difference(measure, mean(a) or 0.0, mean(b) or 0.0, p_value, wins, len(pairs) - wins - losses, losses)


def randomisation_test(differences: list[float]) -> float:
    """Return the two-sided p-value of paired differences: how often random signs give a mean as far from 0.

    Exact for up to 13 pairs, by 10,000 seeded draws beyond. Source: Smucker et al. 2007, A Comparison of Statistical
    Significance Tests for Information Retrieval Evaluation.
    """
    if len(differences) < 2 or not any(differences):
        return 1.0
    result = permutation_test(
        (np.array(differences),),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=_AT_ONCE,
        rng=np.random.default_rng(_SEED),
    )
    return float(result.pvalue)
