"""Fit how blocks are ranked and how sure an answer is, and measure both.

python -m recipes.answer.fit fit SITUATION CASES COMMIT      writes ragcli/answer/fitted.json
python -m recipes.answer.fit measure SITUATION CASES         prints the tables of what is in the file

A SITUATION is `words` or `bigrams`, with `+encoder` or `+reader` or both behind. CASES is what record.py wrote; each
set counts the same. Half of its documents are fitted on, the other half and the sets in NOT_FITTED are reported.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import rankdata

from ragcli.answer.compose import Piece, compose
from ragcli.answer.confidence import LEAST, confidence_features, confidence_of
from ragcli.answer.features import Features, Matrix
from ragcli.answer.fitted import FILE, Linear, fitted, read_fitted
from ragcli.answer.judge import Models, softmax
from recipes.answer.cases import Case, answers, read_cases
from recipes.answer.record import SEED

Numbers = NDArray[np.float64]
PENALTY = 2e-3  # L2, on standardised features
COUNTED = {"docs-fit": 3}  # as many sets: the only one of questions as people type them
# What confidence is judged by where few questions are read.
FEW = {
    *("score", "share", "second", "coverage", "best_coverage", "passage", "title", "title_first", "lead_over", "terms"),
    *("reader", "reader_share", "best_reader", "reader_any", "cosine", "best_cosine", "cosine_passage"),
}
FIT = {
    "words": [
        *(
            "squad-v1.1-train-subset",
            "doc-faq-en",
            "doc-faq-en+titles",
            "tydiqa-goldp-en",
            "nq-short-dev",
            "clapnq-dev",
        ),
        *("dstc11-faq-reviews", "medquad", "docs-fit"),
    ],
    "bigrams": ["cmrc2018-trial", "drcd-dev", "doc-faq-zh", "doc-faq-zh+titles", "docs-zh"],
}
NOT_FITTED = {"words": ["python-faq-en", "fairytaleqa", "docs-report"], "bigrams": ["python-faq-zh"]}


def fit_ranking(cases: Sequence[Case], counts: Numbers) -> Linear:
    """Fit weights so that the probability of the right candidates, by softmax over a question's, is largest.

    Source: McFadden 1974, conditional logit; here with several right ones summed. `counts` weighs the cases.
    """
    usable = [(case, weight) for case, weight in zip(cases, counts, strict=True) if case.right.any()]
    names = usable[0][0].judged.features.names
    values = np.concatenate([case.judged.features.values for case, _ in usable]).astype(float)
    right = np.concatenate([case.right for case, _ in usable])
    weight = np.array([weight for _, weight in usable])
    weight /= weight.sum()
    sizes = np.array([len(case.right) for case, _ in usable])
    starts = np.concatenate([[0], sizes.cumsum()[:-1]])
    deviation = values.std(axis=0) + 1e-9
    scaled = (values - values.mean(axis=0)) / deviation

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        scores = scaled @ weights
        shares = np.exp(scores - np.repeat(np.maximum.reduceat(scores, starts), sizes))
        total, good = np.add.reduceat(shares, starts), np.add.reduceat(shares * right, starts) + 1e-300
        slope = shares / np.repeat(total, sizes) - shares * right / np.repeat(good, sizes)
        slope *= np.repeat(weight, sizes)
        value = weight @ np.log(total / good) + PENALTY * weights @ weights
        return float(value), scaled.T @ slope + 2 * PENALTY * weights

    weights = minimize(loss, np.zeros(len(names)), jac=True, method="L-BFGS-B").x / deviation
    return Linear({name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)})


def fit_logistic(rows: Sequence[dict[str, float]], truth: NDArray[np.bool_], counts: Numbers) -> Linear:
    """Fit a logistic regression on standardised values, with a small L2 penalty."""
    names = list(rows[0])
    values = np.array([[row[name] for name in names] for row in rows])
    mean, deviation = values.mean(axis=0), values.std(axis=0) + 1e-9
    scaled = np.column_stack([(values - mean) / deviation, np.ones(len(values))])
    sign, weight = np.where(truth, 1.0, -1.0), counts / counts.sum()

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        margins = sign * (scaled @ weights)
        free = np.append(weights[:-1], 0)
        slope = (-sign * weight / (1 + np.exp(margins))) @ scaled + 2 * PENALTY * free
        return float(weight @ np.logaddexp(0, -margins) + PENALTY * free @ free), slope

    found = minimize(loss, np.zeros(len(names) + 1), jac=True, method="L-BFGS-B").x
    weights = found[:-1] / deviation
    bias = float(found[-1] - weights @ mean)
    return Linear({n: round(float(w), 4) for n, w in zip(names, weights, strict=True)}, round(bias, 4))


def fit_stacked(cases: Sequence[Case], counts: Numbers, words: Linear) -> Linear:
    """Fit what models say beside the words' own score, whose weights stay in proportion: a few numbers, few questions.

    Encoder and reader take long, so that fewer questions are read by them than the words' weights are fitted on.
    """
    stacked = []
    for case in cases:
        features = case.judged.features
        names = tuple(name for name in features.names if name not in words.weights)
        columns = [words.scores(features), *(features.of(name) for name in names)]
        joined = Features(("words_score", *names), np.column_stack(columns).astype(np.float32))
        stacked.append(case._replace(judged=case.judged._replace(features=joined)))
    found = dict(fit_ranking(stacked, counts).weights)
    scale = found.pop("words_score")
    return Linear({name: round(scale * weight, 4) for name, weight in words.weights.items()} | found)


def auc(sure: Numbers, truth: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve; a tie counts half."""
    ranks, n = rankdata(sure), truth.sum()
    return (
        float((ranks[truth].sum() - n * (n + 1) / 2) / (n * (len(truth) - n))) if 0 < n < len(truth) else float("nan")
    )


def calibration_error(sure: Numbers, truth: NDArray[np.bool_]) -> float:
    """Return the expected calibration error, in ten bins of the same width."""
    bins = np.minimum((sure * 10).astype(int), 9)
    return float(sum(abs(sure[bins == b].sum() - truth[bins == b].sum()) for b in range(10)) / len(sure))


def shown(case: Case, scores: Matrix) -> list[Piece]:
    """Return what `ask` shows."""
    return compose(case.judged, softmax(scores), case.hits, case.record["language"], "normal")


def shown_right(case: Case, pieces: Sequence[Piece]) -> bool:
    """Tell whether one of the pieces holds an accepted answer."""
    candidates = enumerate(case.judged.candidates)
    inside = [
        n for n, one in candidates for piece in pieces if piece.hit == one.hit and piece.start <= one.start < piece.end
    ]
    texts = (
        case.hits[hit].text[start - case.hits[hit].start : end - case.hits[hit].start] for hit, start, end, *_ in pieces
    )
    return bool(case.right[inside].any()) or (case.answerable and any(answers(case.record, text) for text in texts))


def weights_of(cases: Sequence[Case]) -> Numbers:
    """Weigh cases so that each set counts the same, however many it has; some sets count more than once."""
    sets = [case.record["set"] for case in cases]
    return np.array([COUNTED.get(name, 1) / sets.count(name) for name in sets])


def load(situation: str, folder: Path, part: str, live: Models, limit: int | None) -> dict[str, list[Case]]:
    """Read the cases of a situation by their sets."""
    kind, *use = situation.split("+")
    names = FIT[kind] + (NOT_FITTED[kind] if part == "report" else [])
    found = {}
    for name in names:
        path = folder / f"{name}.jsonl"
        if path.exists():
            most = None if name.startswith("docs") else limit  # there are few
            found[name] = list(read_cases(path, "all" if name in NOT_FITTED[kind] else part, use, live, most))
    return {name: cases for name, cases in found.items() if cases}


def fit(situation: str, by_set: dict[str, list[Case]]) -> dict[str, Any]:
    """Fit one situation."""
    cases = [case._replace(record=case.record | {"set": name}) for name, part in by_set.items() for case in part]
    cases = [case for case in cases if len(case.right)]
    own = [case for case in cases if case.answerable]
    stacked = "+" in situation
    words = fitted("en" if situation.startswith("words") else "zh").ranking
    ranking = fit_stacked(own, weights_of(own), words) if stacked else fit_ranking(own, weights_of(own))
    rows, truth = [], []
    for case in cases:
        scores = ranking.scores(case.judged.features)
        known = confidence_features(case.judged, scores)
        rows.append({name: value for name, value in known.items() if not stacked or name in FEW})
        truth.append(shown_right(case, shown(case, scores)))
    confidence = fit_logistic(rows, np.array(truth), weights_of(cases))
    return {
        "questions": len(own),
        "ranking": ranking._asdict(),
        "confidence": confidence._asdict(),
    }


def measure(situation: str, by_set: dict[str, list[Case]], record: dict[str, Any] | None = None) -> None:
    """Print the figures of one situation as it is in the file."""
    kind, *use = situation.split("+")
    numbers = (
        read_fitted(record) if record else fitted("en" if kind == "words" else "zh", "encoder" in use, "reader" in use)
    )
    print(f"{'set':26s} questions   any  best   two  shown characters | AUC answerable  AUC right   ECE", end="")
    print("  refused: right wrong unanswerable")
    for name, cases in by_set.items():
        own = [case for case in cases if case.answerable]
        sure, right, answerable = [], [], []
        best, count, length = 0, 0, 0
        for case in cases:
            if not len(case.right):
                continue
            scores = numbers.ranking.scores(case.judged.features)
            pieces = shown(case, scores)
            sure.append(confidence_of(numbers.confidence, case.judged, scores))
            right.append(shown_right(case, pieces))
            answerable.append(case.answerable)
            if case.answerable:
                best += bool(case.right[int(np.argmax(scores))])
                count += len(pieces)
                length += sum(piece.end - piece.start for piece in pieces)
        s, r, a = np.array(sure), np.array(right), np.array(answerable)
        out = s < LEAST
        n = len(own)
        refused = [float(out[mask].mean()) if mask.any() else float("nan") for mask in (r, a & ~r, ~a)]
        print(
            f"{name:26s} {n:9d} {np.mean([c.right.any() for c in own]):.3f} {best / n:.3f} {r[a].sum() / n:.3f} "
            f"{count / n:6.2f} {length / n:10.0f} | {auc(s, a):14.3f} {auc(s, r):10.3f} {calibration_error(s, r):.3f} "
            f"{refused[0]:14.3f} {refused[1]:.3f} {refused[2]:.3f}"
        )


def open_models(situation: str) -> Models:
    """Open what a situation uses."""
    from ragcli.encoder import open_encoder
    from ragcli.encoding import DEFAULT_ENCODERS
    from ragcli.reader import open_reader

    language = "zh" if situation.startswith("bigrams") else "en"
    return Models(
        open_encoder(DEFAULT_ENCODERS[language], "auto", print) if "encoder" in situation else None,
        open_reader(language=language) if "reader" in situation else None,
    )


def main() -> None:
    """Run one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("fit", "measure"))
    parser.add_argument("situation")
    parser.add_argument("cases", type=Path)
    parser.add_argument("--commit", default="")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--sets", nargs="+", help="fit on these and measure them only")
    options = parser.parse_args()
    if options.sets:
        FIT[options.situation.partition("+")[0]], NOT_FITTED[options.situation.partition("+")[0]] = options.sets, []
    live = open_models(options.situation)
    if options.step == "fit":
        by_set = load(options.situation, options.cases, "fit", live, options.limit)
        found = {"data": sorted(by_set), "seed": SEED, "penalty": PENALTY, "commit": options.commit} | fit(
            options.situation, by_set
        )
        record = json.loads(FILE.read_text(encoding="utf-8"))
        record["situations"][options.situation] = found
        FILE.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        fitted.cache_clear()
    measure(options.situation, load(options.situation, options.cases, "report", live, options.limit))


if __name__ == "__main__":
    main()
