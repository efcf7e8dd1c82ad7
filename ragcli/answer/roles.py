"""Tell by an encoder the role of a sentence in a review: judgement, theme, acting, craft, scene or anecdote."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from ragcli.answer.features import Matrix
from ragcli.answer.meaning import Encoder

_EXAMPLES = Path(__file__).with_name("review_examples.json")
_RIDGE = 0.3
_MOST = 300  # sentences that are encoded; later ones have no role


def roles(texts: Sequence[str], encoder: Encoder) -> Mapping[str, Matrix]:
    """Return for each role how much each text has it: about 1 if it does, about 0 if not.

    Each role is a ridge regression on the vectors of its examples against those of the others.
    """
    said = [text for listed in examples().values() for text in listed]
    is_role = np.repeat(np.eye(len(examples())), [len(listed) for listed in examples().values()], axis=0)
    vectors = encoder.passages([*said, *texts[:_MOST]])
    known, asked = vectors[: len(said)], vectors[len(said) :]
    mean = is_role.mean(axis=0)
    found = np.zeros((len(texts), len(examples())), dtype=np.float32)
    weights = np.linalg.solve(known @ known.T + _RIDGE * np.eye(len(said)), is_role - mean)
    found[:_MOST] = asked @ known.T @ weights + mean
    return dict(zip(examples(), found.T, strict=True))


@cache
def examples() -> Mapping[str, Sequence[str]]:
    """Return sentences of each role."""
    listed = json.loads(_EXAMPLES.read_text(encoding="utf-8"))
    return {role: texts for role, texts in listed.items() if role != "about"}
