"""Fit how grounded answers choose sentences and how sure they are, and print what that is worth.

python -m tests.benchmarks.grounded fit SITUATION CASES...      writes ragcli/grounded/fitted.json, prints both sets
python -m tests.benchmarks.grounded measure SITUATION CASES...  prints the tables of what is in the file
python -m tests.benchmarks.grounded halves SITUATION CASES...  prints what one half's weights are worth on the other
python -m tests.benchmarks.grounded baselines SITUATION CASES...  prints what simple answers are worth

CASES are files that grounded_cases.py writes.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import rankdata

from ragcli.answer.confidence import confidence_features
from ragcli.answer.features import Matrix
from ragcli.answer.fitted import FILE, Fitted, Linear, fitted
from ragcli.answer.judge import Judged, judge, softmax
from ragcli.encoding import passage_text
from ragcli.evaluate.answer_measures import contains, f1, rouge_l
from ragcli.store import Counts, Hit, IndexConfig
from tests.benchmarks.grounded_cases import SEED

Numbers = NDArray[np.float64]
PENALTY = 1e-3  # L2, on standardised features
REFUSED = 0.1  # share of the answerable development questions that the default threshold leaves unanswered


class Case(NamedTuple):
    """Hold a question's candidates, which of them hold an accepted answer, and the answers."""

    judged: Judged
    right: NDArray[np.bool_]
    answers: list[str]
    characters: bool


class Recorded:
    """Be the store and the encoder of one question: what they said when its case was written."""

    def __init__(self, record: dict[str, Any], hits: Sequence[dict[str, Any]]) -> None:
        self.config = IndexConfig(record["language"], 0)
        self._record = record
        self._cosines = {passage_text(hit["title"], hit["text"]): hit.get("cosine", 0.0) for hit in hits}
        self._cosines |= {text: cosine for hit in hits for text, cosine in hit.get("sentences", {}).items()}

    def frequencies(self, words: Sequence[str]) -> list[int]:
        """Return how many passages hold each word."""
        return [self._record["frequencies"][word] for word in words]

    def counts(self) -> Counts:
        """Return the size of the index."""
        return Counts(self._record["passages"], self._record["passages"])

    def vectors(self, _: Sequence[int]) -> dict[int, Matrix]:
        """Know no vectors."""
        return {}

    def queries(self, texts: Sequence[str]) -> Matrix:
        """Return the vector of which a cosine is the product with itself."""
        return np.ones((len(texts), 1), dtype=np.float32)

    def passages(self, texts: Sequence[str]) -> Matrix:
        """Return cosines as vectors of one number."""
        return np.array([[self._cosines[text]] for text in texts], dtype=np.float32)


def read_cases(paths: Sequence[Path], own: bool, parts: Sequence[str]) -> Iterator[Case]:
    """Yield the questions of some parts in files, searched with or without their `own` document."""
    for path in paths:
        with path.open(encoding="utf-8") as file:
            for line in file:
                record = json.loads(line)
                if record["part"] in parts:
                    yield read_case(record, record["hits" if own else "without"])


def read_case(record: dict[str, Any], found: Sequence[dict[str, Any]]) -> Case:
    """Judge the candidates of a recorded question as the product does."""
    names = ("id", "title", "text", "score", "start", "end")
    hits = [Hit(n, **{name: hit[name] for name in names}, metadata={}) for n, hit in enumerate(found, 1)]
    recorded: Any = Recorded(record, found)
    encoder = recorded if hits and "cosine" in found[0] else None
    judged = judge(record["question"], hits, recorded, encoder)
    characters = record["language"] != "en"
    right = [contains(candidate.text, record["answers"], characters) > 0 for candidate in judged.candidates]
    return Case(judged, np.array(right, dtype=bool), record["answers"], characters)


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
    names = list(rows[0])
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
    """Return the area under the ROC curve; a tie counts half."""
    ranks = rankdata(sure)
    n = truth.sum()
    return float((ranks[truth].sum() - n * (n + 1) / 2) / (n * (len(truth) - n)))


def rows_of(cases: Sequence[Case], ranking: Linear) -> list[dict[str, float]]:
    """Return what confidence is judged by."""
    return [confidence_features(case.judged, ranking.scores(case.judged.features)) for case in cases if len(case.right)]


def confidences(answerable: Sequence[Case], not_: Sequence[Case], ranking: Linear) -> tuple[Any, NDArray[np.bool_]]:
    """Return the signs of questions with and without their document, and which are which."""
    with_, without = rows_of(answerable, ranking), rows_of(not_, ranking)
    return with_ + without, np.array([True] * len(with_) + [False] * len(without))


def fewest(cases: Sequence[Case], ranking: Linear) -> float:
    """Return from which share on one sentence is enough: the lowest that costs at most 0.3 points."""
    score = lambda case: ranking.scores(case.judged.features)  # noqa: E731
    goal = contained(cases, score)[1] - 0.003
    return next(round(float(t), 2) for t in np.arange(0.4, 1.02, 0.02) if contained(cases, score, t)[1] >= goal)


def read_both(paths: Sequence[Path], *parts: str) -> tuple[list[Case], list[Case]]:
    """Return the questions of some parts with their own document and without it."""
    return list(read_cases(paths, True, parts)), list(read_cases(paths, False, parts))


def fit(paths: Sequence[Path]) -> dict[str, Any]:
    """Fit one situation on its development questions."""
    full, bare = read_both(paths, "development")
    ranking = fit_ranking(full)
    rows, truth = confidences(full, bare, ranking)
    confidence = fit_logistic(rows, truth)
    sure = np.array([confidence.probability(row) for row in rows])
    return {
        "questions": len(full),
        "ranking": ranking._asdict(),
        "confidence": confidence._asdict(),
        "enough": fewest(full, ranking),
        "abstain": round(float(np.quantile(sure[truth], REFUSED)), 2),
    }


def halves(paths: Sequence[Path]) -> None:
    """Print what weights of one half of the development questions are worth on the other."""
    full = list(read_cases(paths, True, ["development"]))
    for a, b in ((full[::2], full[1::2]), (full[1::2], full[::2])):
        ranking = fit_ranking(a)
        print("half", "{:.3f} {:.3f} {:.2f}".format(*contained(b, lambda c: ranking.scores(c.judged.features))))  # noqa: B023


def measure(paths: Sequence[Path], situation: str) -> None:
    """Print the figures of one situation as it is in the file."""
    kind, _, encoder = situation.partition("+")
    numbers = fitted("en" if kind == "words" else "zh", bool(encoder))
    for part in ("development", "report", "lm"):
        own, other = read_both(paths, part)
        if own:
            print_choice(own, numbers, f"{situation}, {part}")
            print_confidence(own, other, numbers)


def print_choice(own: Sequence[Case], numbers: Fitted, name: str) -> None:
    """Print how often the chosen sentences hold the answer."""
    print(f"\n{name}: {len(own)} questions, any sentence {np.mean([case.right.any() for case in own]):.3f}")
    simple = lambda case: case.judged.features.of("coverage") + 0.3 * case.judged.features.of("passage")  # noqa: E731
    ours = lambda case: numbers.ranking.scores(case.judged.features)  # noqa: E731
    print("  coverage + 0.3 passage   @1 {:.3f} @2 {:.3f} shown {:.2f}".format(*contained(own, simple)))
    print("  fitted                   @1 {:.3f} @2 {:.3f} shown {:.2f}".format(*contained(own, ours)))
    print("  fitted, as few as enough @1 {:.3f} @2 {:.3f} shown {:.2f}".format(*contained(own, ours, numbers.enough)))


def print_confidence(own: Sequence[Case], other: Sequence[Case], numbers: Fitted) -> None:
    """Print how well confidence tells questions with their document from those without, and how reliable it is."""
    rows, truth = confidences(own, other, numbers.ranking)
    sure = np.array([numbers.confidence.probability(row) for row in rows])
    coverage = np.array([row["best_coverage"] for row in rows])
    out = sure < numbers.abstain
    precision, recall = (out & ~truth).sum() / max(1, out.sum()), (out & ~truth).sum() / (~truth).sum()
    print(
        f"  abstention: AUC {auc(sure, truth):.3f}; by best coverage {auc(coverage, truth):.3f}; "
        f"below {numbers.abstain}: precision {precision:.3f} recall {recall:.3f}, "
        f"refused though answerable {out[truth].mean():.3f}"
    )
    for low in np.arange(0, 1, 0.2):
        inside = (sure >= low) & (sure < low + 0.2 + 1e-9)
        if inside.any():
            print(
                f"    {low:.1f}-{low + 0.2:.1f}: {inside.sum():5d} questions, "
                f"sure {sure[inside].mean():.3f}, so {truth[inside].mean():.3f}"
            )


def baselines(paths: Sequence[Path], situation: str) -> None:
    """Print what simple answers are worth on the report questions, by the measures of `ragcli eval answers`."""
    kind, _, encoder = situation.partition("+")
    ranking = fitted("en" if kind == "words" else "zh", bool(encoder)).ranking
    cases = list(read_cases(paths, True, ["report"]))
    best: Callable[[Case], int] = lambda case: int(np.argmax(ranking.scores(case.judged.features)))  # noqa: E731
    for name, choose in (("first sentence of the top passage", lambda case: 0), ("best sentence", best)):
        texts = [case.judged.candidates[choose(case)].text if len(case.right) else "" for case in cases]
        for measure in (rouge_l, f1, contains):
            found = [measure(text, case.answers, case.characters) for text, case in zip(texts, cases, strict=True)]
            print(f"{name}: {measure.__name__} {np.mean(found):.4f}")


def main() -> None:
    """Run one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("fit", "measure", "halves", "baselines"))
    parser.add_argument("situation", choices=("words", "words+encoder", "bigrams"))
    parser.add_argument("cases", nargs="+", type=Path)
    options = parser.parse_args()
    if options.step == "fit":
        data = {"data": sorted(path.stem for path in options.cases), "seed": SEED, "penalty": PENALTY}
        found = data | fit(options.cases)
        record = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"situations": {}}
        record["situations"][options.situation] = found
        FILE.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        fitted.cache_clear()
    if options.step == "halves":
        halves(options.cases)
    elif options.step == "baselines":
        baselines(options.cases, options.situation)
    else:
        measure(options.cases, options.situation)


if __name__ == "__main__":
    main()
