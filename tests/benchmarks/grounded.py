"""Fit how grounded answers choose sentences and how sure they are, and print what that is worth.

python -m tests.benchmarks.grounded fit CASES...      writes ragcli/grounded/fitted.json, prints both sets
python -m tests.benchmarks.grounded measure CASES...  prints the tables of what is in the file

CASES are files of JSON Lines, made by anything that searches, one line a question:
{"question", "answers", "doc_id", "part": "development" | "report", "language", "frequencies": {word: n}, "passages": n,
 "hits": [{"id", "title", "text", "score", "start", "end", "cosine"?}], "cosines"?: {sentence: x}}
More hits than the k = 5 that count are there for the question without its own document.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ragcli.evaluate.answer_measures import contains
from ragcli.grounded.candidates import find_candidates
from ragcli.grounded.choose import Judged, signs, softmax
from ragcli.grounded.features import Features, word_features
from ragcli.grounded.fitted import FILE, Linear, fitted
from ragcli.grounded.meaning import Row
from ragcli.grounded.terms import weigh, words_by_term
from ragcli.store import Hit

Numbers = NDArray[np.float64]
K = {"words": 5, "bigrams": 3}
PENALTY = 1e-3  # L2, on standardised features
SEED = 8  # of the split by documents
NOT_IN_CONFIDENCE = {"score"}


class Case(NamedTuple):
    """Hold a question's candidates, which of them hold an accepted answer, and the set that it belongs to."""

    judged: Judged
    right: NDArray[np.bool_]
    part: str


def read_cases(paths: Sequence[Path], situation: str, own: bool) -> Iterator[Case]:
    """Yield the questions of files; without its `own` document where that is asked for."""
    kind, _, encoder = situation.partition("+")
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            english = record["language"] == "en"
            if english == (kind == "words"):
                yield _case(record, bool(encoder), own, K[kind])


def _case(record: dict[str, Any], encoder: bool, own: bool, k: int) -> Case:
    kept = [hit for hit in record["hits"] if own or hit["id"] != record["doc_id"]][:k]
    hits = [Hit(n, h["id"], h["title"], h["text"], h["score"], h["start"], h["end"], {}) for n, h in enumerate(kept, 1)]
    language = record["language"]
    words = words_by_term(record["question"], language)
    weights = weigh(words, [record["frequencies"][word] for word in words.values()], record["passages"])
    found = find_candidates(hits)
    features = word_features(record["question"], weights, hits, found, language)
    if encoder:
        features = features.joined(_meaning(kept, [(c.hit, c.text) for c in found], record["cosines"]))
    right = [contains(c.text, record["answers"], language != "en") > 0 for c in found]
    return Case(Judged(found, features, weights), np.array(right, dtype=bool), record["part"])


def _meaning(hits: Sequence[dict[str, Any]], found: Sequence[tuple[int, str]], cosines: dict[str, float]) -> Features:
    own = [cosines[text] for _, text in found]
    best = {hit: max(c for (h, _), c in zip(found, own, strict=True) if h == hit) for hit, _ in found}
    rows = [(cosine, hits[hit]["cosine"], best[hit]) for (hit, _), cosine in zip(found, own, strict=True)]
    return Features(Row._fields, np.array(rows, dtype=np.float32))


def fit_ranking(cases: Sequence[Case]) -> Linear:
    """Fit weights so that the probability of the right candidates, by softmax over a question's, is largest.

    Source: McFadden 1974, conditional logit; here with several right ones summed.
    """
    usable = [case for case in cases if case.right.any()]
    names = usable[0].judged.features.names
    values = np.concatenate([case.judged.features.values for case in usable]).astype(float)
    right = np.concatenate([case.right for case in usable])
    counts = np.array([len(case.right) for case in usable])
    starts = np.concatenate([[0], counts.cumsum()[:-1]])
    deviation = values.std(axis=0) + 1e-9
    scaled = (values - values.mean(axis=0)) / deviation

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        scores = scaled @ weights
        shares = np.exp(scores - np.repeat(np.maximum.reduceat(scores, starts), counts))
        total, good = np.add.reduceat(shares, starts), np.add.reduceat(shares * right, starts) + 1e-300
        slope = shares / np.repeat(total, counts) - shares * right / np.repeat(good, counts)
        value = np.log(total / good).mean() + PENALTY * weights @ weights
        return float(value), scaled.T @ slope / len(usable) + 2 * PENALTY * weights

    weights = minimize(loss, np.zeros(len(names)), jac=True, method="L-BFGS-B").x / deviation
    return Linear({name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)})


def fit_logistic(rows: Sequence[dict[str, float]], truth: NDArray[np.bool_]) -> Linear:
    """Fit a logistic regression on standardised values, with a small L2 penalty."""
    names = [name for name in rows[0] if name not in NOT_IN_CONFIDENCE]
    values = np.array([[row[name] for name in names] for row in rows])
    mean, deviation = values.mean(axis=0), values.std(axis=0) + 1e-9
    scaled = np.column_stack([(values - mean) / deviation, np.ones(len(values))])
    sign = np.where(truth, 1.0, -1.0)

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        margins = sign * (scaled @ weights)
        free = np.append(weights[:-1], 0)
        slope = -sign / (1 + np.exp(margins)) @ scaled / len(sign) + 2 * PENALTY * free
        return float(np.logaddexp(0, -margins).mean() + PENALTY * free @ free), slope

    found = minimize(loss, np.zeros(len(names) + 1), jac=True, method="L-BFGS-B").x
    weights = found[:-1] / deviation
    bias = float(found[-1] - weights @ mean)
    return Linear({n: round(float(w), 4) for n, w in zip(names, weights, strict=True)}, round(bias, 4))


def contained(cases: Sequence[Case], score: Callable[[Case], Any], enough: float = 2.0) -> tuple[float, float, float]:
    """Return the share of questions answered by the best sentence, by two at most, and how many are shown."""
    one = two = shown = 0
    for case in cases:
        if not len(case.right):
            continue
        shares = softmax(np.asarray(score(case), dtype=np.float32))
        order = np.argsort(-shares, kind="stable")[: 1 if shares.max() >= enough else 2]
        one += bool(case.right[order[0]])
        two += bool(case.right[order].any())
        shown += len(order)
    return one / len(cases), two / len(cases), shown / len(cases)


def auc(sure: Numbers, truth: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve."""
    ranks = np.empty(len(sure))
    ranks[np.argsort(sure, kind="stable")] = np.arange(1, len(sure) + 1)
    n = truth.sum()
    return float((ranks[truth].sum() - n * (n + 1) / 2) / (n * (len(truth) - n)))


def rows_of(cases: Sequence[Case], ranking: Linear) -> list[dict[str, float]]:
    """Return what confidence is judged by."""
    return [signs(case.judged, ranking.scores(case.judged.features)) for case in cases if len(case.right)]


def confidences(answerable: Sequence[Case], not_: Sequence[Case], ranking: Linear) -> tuple[Any, NDArray[np.bool_]]:
    """Return the signs of questions with and without their document, and which are which."""
    with_, without = rows_of(answerable, ranking), rows_of(not_, ranking)
    return with_ + without, np.array([True] * len(with_) + [False] * len(without))


def best_threshold(sure: Numbers, truth: NDArray[np.bool_]) -> float:
    """Return the confidence below which to abstain for most decisions to be right, as many questions of each kind."""
    steps = np.arange(0.05, 0.96, 0.01)
    right = [((sure >= step) == truth).mean() for step in steps]
    return round(float(steps[int(np.argmax(right))]), 2)


def fewest(cases: Sequence[Case], ranking: Linear) -> float:
    """Return from which share on one sentence is enough: the lowest that costs at most 0.3 points."""
    score = lambda case: ranking.scores(case.judged.features)  # noqa: E731
    goal = contained(cases, score)[1] - 0.003
    return next(round(float(t), 2) for t in np.arange(0.4, 1.02, 0.02) if contained(cases, score, t)[1] >= goal)


def fit(paths: Sequence[Path], situation: str) -> dict[str, Any]:
    """Fit one situation on its development questions."""
    full = [case for case in read_cases(paths, situation, own=True) if case.part == "development"]
    bare = [case for case in read_cases(paths, situation, own=False) if case.part == "development"]
    ranking = fit_ranking(full)
    rows, truth = confidences(full, bare, ranking)
    confidence = fit_logistic(rows, truth)
    sure = np.array([confidence.probability(row) for row in rows])
    return {
        "questions": len(full),
        "ranking": ranking._asdict(),
        "confidence": confidence._asdict(),
        "enough": fewest(full, ranking),
        "abstain": best_threshold(sure, truth),
    }


def halves(paths: Sequence[Path], situation: str) -> None:
    """Print what weights of one half of the development questions are worth on the other."""
    full = [case for case in read_cases(paths, situation, own=True) if case.part == "development"]
    for a, b in ((full[::2], full[1::2]), (full[1::2], full[::2])):
        ranking = fit_ranking(a)
        print("half", "{:.3f} {:.3f} {:.2f}".format(*contained(b, lambda c: ranking.scores(c.judged.features))))  # noqa: B023


def measure(paths: Sequence[Path], situation: str) -> None:
    """Print the figures of one situation as it is in the file."""
    kind, _, encoder = situation.partition("+")
    numbers = fitted("en" if kind == "words" else "zh", bool(encoder))
    full, bare = (list(read_cases(paths, situation, own)) for own in (True, False))
    for part in ("development", "report"):
        own, other = ([case for case in cases if case.part == part] for cases in (full, bare))
        if not own:
            continue
        oracle = np.mean([case.right.any() for case in own])
        print(f"\n{situation}, {part}: {len(own)} questions, any sentence {oracle:.3f}")
        simple = lambda case: case.judged.features.of("coverage") + 0.3 * case.judged.features.of("passage")  # noqa: E731
        print("  coverage + 0.3 passage   @1 {:.3f} @2 {:.3f} shown {:.2f}".format(*contained(own, simple)))
        ours = lambda case: numbers.ranking.scores(case.judged.features)  # noqa: E731
        print("  fitted                   @1 {:.3f} @2 {:.3f} shown {:.2f}".format(*contained(own, ours)))
        print(
            "  fitted, as few as enough @1 {:.3f} @2 {:.3f} shown {:.2f}".format(*contained(own, ours, numbers.enough))
        )
        rows, truth = confidences(own, other, numbers.ranking)
        sure = np.array([numbers.confidence.probability(row) for row in rows])
        coverage = np.array([row["best_coverage"] for row in rows])
        out = sure < numbers.abstain
        precision, recall = (out & ~truth).sum() / max(1, out.sum()), (out & ~truth).sum() / (~truth).sum()
        print(
            f"  abstention: AUC {auc(sure, truth):.3f}; by best coverage {auc(coverage, truth):.3f}; "
            f"below {numbers.abstain}: precision {precision:.3f} recall {recall:.3f}"
        )
        for low in np.arange(0, 1, 0.2):
            inside = (sure >= low) & (sure < low + 0.2 + 1e-9)
            if inside.any():
                print(
                    f"    {low:.1f}-{low + 0.2:.1f}: {inside.sum():5d} questions, "
                    f"sure {sure[inside].mean():.3f}, so {truth[inside].mean():.3f}"
                )


def main() -> None:
    """Run one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("fit", "measure", "halves"))
    parser.add_argument("situation", choices=("words", "words+encoder", "bigrams"))
    parser.add_argument("cases", nargs="+", type=Path)
    options = parser.parse_args()
    if options.step == "fit":
        record = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"situations": {}}
        data = {"data": sorted(path.stem for path in options.cases), "seed": SEED, "penalty": PENALTY}
        record["situations"][options.situation] = data | fit(options.cases, options.situation)
        FILE.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        fitted.cache_clear()
    if options.step == "halves":
        halves(options.cases, options.situation)
    else:
        measure(options.cases, options.situation)


if __name__ == "__main__":
    main()
