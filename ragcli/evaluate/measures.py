"""Retrieval measures by name, and the scores of a run, computed by ir-measures."""

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import ir_measures
import numpy as np

from ragcli.errors import UsageError

DEFAULT_MEASURES = ("nDCG@10", "R@10", "R@100", "RR@10", "AP", "P@5", "P@10", "Success@1", "Success@5")
_FORM = re.compile(r"([^\W\d][\w-]*)(\(.*\))?(?:@([\d.]+))?")

# All except gdeval, a Perl script that fails on its own input, and pyndeval, which needs subtopics in qrels.
_Fallback: Callable[[list[Any]], Any] = ir_measures.providers.FallbackProvider
_PROVIDERS = _Fallback(
    [provider for provider in ir_measures.DefaultPipeline.providers if provider.NAME not in ("gdeval", "pyndeval")]
)

Run = Mapping[str, Mapping[str, float]]
Qrels = Mapping[str, Mapping[str, int]]


class Scores(NamedTuple):
    """Hold each measure's aggregate, and each query's values by measure."""

    metrics: dict[str, float]
    per_query: dict[str, dict[str, float]]


def parse_measure(name: str) -> Any:
    """Return the measure of ir-measures with this name, such as nDCG@10, recall@100 or AP(rel=2)@100.

    Case is ignored, and aliases such as MRR for RR are known. Raises UsageError.
    """
    form = _FORM.fullmatch(name.strip())
    kind = _known().get(form[1].lower()) if form else None
    if not form or kind is None:
        raise _unknown(name)
    try:
        measure = kind(**_parameters(form[2] or "()", form[3], kind.AT_PARAM))
        measure.validate_params()
        if measure.params.get("cutoff", 1) < 1:
            raise ValueError("the cutoff is less than 1")
    except (ValueError, TypeError, SyntaxError, AssertionError) as e:
        raise _unknown(name) from e
    if not _PROVIDERS.supports(measure):
        ways = [provider.install_instructions() for provider in _PROVIDERS.providers if provider.supports(measure)]
        raise UsageError(f"the measure {name!r} cannot be computed here", next(iter(ways), None) or "Leave it out.")
    return measure


def _known() -> dict[str, Any]:
    return {name.lower(): kind for name, kind in ir_measures.measures.registry.items()}


def _parameters(arguments: str, cutoff: str | None, cutoff_name: str | None) -> dict[str, Any]:
    call = ast.parse(f"f{arguments}", mode="eval").body
    if not isinstance(call, ast.Call) or call.args:
        raise ValueError(arguments)
    parameters = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    if cutoff is not None:
        if cutoff_name is None:
            raise ValueError(cutoff)
        parameters[cutoff_name] = ast.literal_eval(cutoff)
    return parameters


def _unknown(name: str) -> UsageError:
    names = "nDCG@10, R@100, RR@10, AP, P@5, Success@1"
    return UsageError(f"unknown measure {name!r}", f"Use a name of ir-measures: {names}, AP(rel=2)@100.")


def parse_measures(names: Iterable[str]) -> dict[str, Any]:
    """Return the measures by their canonical names, each once, in order. Raises UsageError."""
    return {str(measure): measure for measure in map(parse_measure, names)}


def depth(measures: Iterable[Any], least: int = 100) -> int:
    """Return the number of documents to retrieve for these measures: the largest cutoff, at least `least`."""
    cutoffs = [measure.params.get("cutoff") for measure in measures]
    return max([least, *(cutoff for cutoff in cutoffs if isinstance(cutoff, int))])


def score(run: Run, qrels: Qrels, measures: Mapping[str, Any]) -> Scores:
    """Compute the measures of a run for each judged query, and over all of them.

    A judged query that is missing in the run counts as one without results, which is 0 in most measures.
    """
    result = _PROVIDERS.calc(list(measures.values()), qrels, run)
    names = {measure: name for name, measure in measures.items()}
    values: dict[tuple[str, str], float] = {(m.query_id, names[m.measure]): m.value for m in result.per_query}
    per_query = {query: {name: values[query, name] for name in measures} for query in sorted(qrels)}
    return Scores({name: float(result.aggregated[measure]) for name, measure in measures.items()}, per_query)


def without_ties(scores: Sequence[float]) -> list[float]:
    """Lower scores, given best first, by the least 32-bit step, so that each is below the one before.

    Tools break ties in different ways, and read scores as 32-bit numbers; without ties, all see the search's order.
    """
    apart: list[float] = []
    for value in map(np.float32, scores):
        below = np.nextafter(np.float32(apart[-1]), np.float32(-np.inf)) if apart else value
        apart.append(float(min(value, below)))
    return apart
