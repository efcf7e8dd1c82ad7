"""The fitted weights of ranking and confidence."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ragcli.analysis.languages import BIGRAMMED
from ragcli.answer.features import Features, Matrix

FILE = Path(__file__).with_name("fitted.json")


class Linear(NamedTuple):
    """Hold a weight for each feature, and a bias."""

    weights: Mapping[str, float]
    bias: float = 0.0

    def scores(self, features: Features) -> Matrix:
        """Return a score for each candidate (candidates,); features without a weight are ignored."""
        weights = np.array([self.weights.get(name, 0.0) for name in features.names], dtype=np.float32)
        return np.asarray(features.values @ weights + np.float32(self.bias))

    def probability(self, values: Mapping[str, float]) -> float:
        """Return the logistic function of the weighted sum of values."""
        total = self.bias + sum(weight * values[name] for name, weight in self.weights.items())
        return float(1 / (1 + np.exp(-np.clip(total, -30, 30))))


class Fitted(NamedTuple):
    """Hold the fitted weights of one situation."""

    ranking: Linear
    confidence: Linear


@cache
def fitted(language: str, encoder: bool = False, reader: bool = False) -> Fitted:
    """Return the weights for CJK or other languages, with or without an encoder and a reader.

    A model for which nothing was fitted is ignored.
    """
    situations = json.loads(FILE.read_text(encoding="utf-8"))["situations"]
    name = "words" if language not in BIGRAMMED else "bigrams"
    first, second = "+encoder" if encoder else "", "+reader" if reader else ""
    models = (first + second, second, first, "")
    return read_fitted(next(situations[name + more] for more in models if name + more in situations))


def read_fitted(record: Mapping[str, Any]) -> Fitted:
    """Read one situation of the file."""
    ranking, confidence = (Linear(record[part]["weights"], record[part]["bias"]) for part in ("ranking", "confidence"))
    return Fitted(ranking, confidence)
