"""The features from which confidence in an answer is computed."""

import numpy as np

from ragcli.answer.compose import titled_place
from ragcli.answer.features import Matrix
from ragcli.answer.fitted import Linear
from ragcli.answer.judge import Judged, softmax

TITLED = 0.8  # where a title asks the question: of 112 such answers that were not fitted on, 103 were right
LEAST = 0.2  # by default no answer is given that would be right less often than one time in five


def confidence_of(confidence: Linear, judged: Judged, scores: Matrix) -> float:
    """Return the probability that the best blocks answer the question."""
    found = confidence.probability(confidence_features(judged, scores))
    return found if titled_place(judged) is None else max(found, TITLED)


def confidence_features(judged: Judged, scores: Matrix) -> dict[str, float]:
    """Return the features of confidence; none depends on the scale of the store's scores."""
    values, weights = judged.features, judged.weights
    best = int(np.argmax(scores))
    shares = softmax(scores)
    weightiest = max(weights.idf, default=0.0)
    of_hits = {c.hit: float(x) for c, x in zip(judged.candidates, values.of("coverage_passage"), strict=True)}
    by_hit = sorted(of_hits.values(), reverse=True)
    found = {
        "score": float(scores[best]),
        "share": float(shares[best]),
        "best_coverage": float(values.of("coverage").max()),
        "best_passage": float(values.of("coverage_passage").max()),
        "top_passage": float(values.of("coverage_passage")[0]),
        "coverage": float(values.of("coverage")[best]),
        "context": float(values.of("coverage")[best] + values.of("coverage_before")[best]),
        "passage": float(values.of("coverage_passage")[best]),
        "lead_over": by_hit[0] - (by_hit[1] if len(by_hit) > 1 else 0.0),
        "local": float(values.of("coverage_local")[best]),
        "alike": float(values.of("coverage_alike")[best]),
        "names": float(values.of("coverage_names")[best]),
        "numbers": float(values.of("coverage_numbers")[best]),
        "words": float(values.of("words")[best]),
        "pairs": float(values.of("pairs")[best]),
        "lead": float(values.of("coverage_lead")[best]),
        "fits": float(max(values.of(f"{kind}_fits")[best] for kind in ("number", "year", "name"))),
        "first_hit": float(values.of("rank")[best]),
        "terms": float(np.log1p(len(weights.terms))),
        "weightiest": weightiest / weights.total if weights.total else 0.0,
    }
    found |= {name: float(values.of(name)[best]) for name in ("head", "title", "title_first", "defines", "sentence")}
    found["best_title"] = float(values.of("title").max())
    ordered = np.sort(shares)
    found["second"] = float(ordered[-2]) if len(ordered) > 1 else 0.0
    if "cosine" in values.names:
        found |= {f"best_{name}": float(values.of(name).max()) for name in ("cosine", "cosine_passage")}
        found |= {name: float(values.of(name)[best]) for name in ("cosine", "cosine_passage")}
    if "reader" in values.names:
        read = values.of("reader")
        found |= {"reader": float(read[best]), "reader_share": float(values.of("reader_share")[best])}
        found |= {"best_reader": float(read.max()), "reader_any": float(values.of("reader_share").sum())}
    return found
