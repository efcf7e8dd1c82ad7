"""Measure what a language model adds to the choice of sentences: fitted on the part `lm` of CASES, told of `report`.

python -m tests.benchmarks.grounded_model MODEL CASES; CASES of SQuAD are what grounded_cases.py writes.

Of the eight best candidates of each question: ln p(question | sentence) a token, and ln p(sentence | question) less
ln p(sentence), a token.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ragcli.answer.features import Features
from ragcli.answer.fitted import fitted
from ragcli.generate import LanguageModel, open_language_model
from ragcli.models import find_model
from tests.benchmarks.grounded import Case, contained, fit_ranking, read_case

LOOKED_AT = 8


class Row(NamedTuple):
    """Hold what is known of a candidate: the fitted score, and what the model says."""

    fitted: float
    question: float
    sentence: float


def mean_log_probability(engine: LanguageModel, before: str, text: str) -> float:
    """Return ln p(text | before) a token."""
    start = len(engine.encode(before))
    ids = engine.encode(before + text)[: engine.context]
    return float(engine.log_probabilities(ids, start).mean()) if len(ids) > start else 0.0


def row(engine: LanguageModel, question: str, sentence: str, score: float) -> Row:
    """Ask the model about a candidate, in the words of ask's prompt."""
    asked = mean_log_probability(engine, f"[1] {sentence}\n\nQuestion:", f" {question}")
    given = mean_log_probability(engine, f"Question: {question}\nAnswer:", f" {sentence}")
    return Row(score, asked, given - mean_log_probability(engine, "Answer:", f" {sentence}"))


def cases(engine: LanguageModel, path: Path, part: str) -> Iterator[Case]:
    """Yield the questions of a part with their best candidates."""
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["part"] != part:
            continue
        case = read_case(record, record["hits"])
        numbers = fitted("en", "cosine" in case.judged.features.names)
        scores = numbers.ranking.scores(case.judged.features)
        kept = np.argsort(-scores, kind="stable")[:LOOKED_AT].tolist()
        found = [case.judged.candidates[location] for location in kept]
        rows = [
            row(engine, record["question"], one.text, scores[location])
            for one, location in zip(found, kept, strict=True)
        ]
        features = Features(Row._fields, np.array(rows, dtype=np.float32).reshape(len(found), len(Row._fields)))
        judged = case.judged._replace(candidates=found, features=features)
        yield case._replace(judged=judged, right=case.right[kept])


def main() -> None:
    """Fit and measure each signal alone, and both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("cases", type=Path)
    options = parser.parse_args()
    engine = open_language_model(find_model(options.model, allow_fallback=False))
    fitting, report = (list(cases(engine, options.cases, part)) for part in ("lm", "report"))
    for names in (("fitted",), ("fitted", "question"), ("fitted", "sentence"), Row._fields):
        weights = fit_ranking([only(case, names) for case in fitting])
        for part, chosen in (("lm", fitting), ("report", report)):
            found = contained(chosen, lambda case: weights.scores(only(case, names).judged.features))  # noqa: B023
            print(f"{' + '.join(names)}, {part} ({len(chosen)}): best {found[0]:.3f}, two {found[1]:.3f}", flush=True)


def only(case: Case, names: tuple[str, ...]) -> Case:
    """Keep some of the features."""
    columns = [Row._fields.index(name) for name in names]
    features = Features(names, case.judged.features.values[:, columns])
    return case._replace(judged=case.judged._replace(features=features))


if __name__ == "__main__":
    main()
