"""`ragcli eval answers`: SQuAD's and CMRC's rules, groundedness, abstention, and what passages gain."""

import json
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ragcli.answer.answerer import AskOptions
from ragcli.answer.schema import CitedSentence
from ragcli.callbacks import Callbacks
from ragcli.decoder.sampling import Sampling
from ragcli.errors import ExitCode, RagcliError
from ragcli.evaluate.answer_measures import (
    by_characters,
    citations,
    contains,
    exact_match,
    f1,
    groundedness,
    normalized,
    rouge_l,
)
from ragcli.evaluate.answers import AnswersConfig, evaluate_answers
from ragcli.evaluate.questions import Question, read_questions
from ragcli.evaluate.report import Report
from ragcli.generate import EngineGenerator, LanguageModel, Options
from ragcli.store import IndexLocation
from tests.support import Run, assert_two_lines, write_lines

# SQuAD's rules

# The examples of the metric's card (https://huggingface.co/spaces/evaluate-metric/squad), and of torchmetrics.
PUBLISHED = [
    ("1976", ["1976"], 1.0, 1.0),
    ("1999", ["1976"], 0.0, 0.0),
    ("Beyonce", ["Beyoncé and Bruno Mars"], 0.0, 0.0),
    ("climate change", ["climate change"], 1.0, 1.0),
]


@pytest.mark.parametrize(("answer", "accepted", "exact", "overlap"), PUBLISHED)
def test_published_examples_of_squad(answer: str, accepted: list[str], exact: float, overlap: float) -> None:
    assert exact_match(answer, accepted, False) == exact
    assert f1(answer, accepted, False) == overlap


@pytest.mark.parametrize(
    ("answer", "accepted", "exact", "overlap"),
    [
        ("The Eiffel Tower!", ["eiffel tower"], 1.0, 1.0),  # case, articles and marks are dropped
        ("the tower of Eiffel", ["Eiffel Tower"], 0.0, 2 * (2 / 3) * (2 / 2) / (2 / 3 + 2 / 2)),
        ("cat cat dog", ["cat dog dog"], 0.0, 2 / 3),  # a token counts as often as both have it
        ("1976", ["1999", "in 1976"], 0.0, 2 * 1 * (1 / 2) / (1 + 1 / 2)),  # the best of several
        ("", ["x"], 0.0, 0.0),
        ("the", ["a"], 1.0, 1.0),  # both empty after normalisation: they agree
    ],
)
def test_squads_rules(answer: str, accepted: list[str], exact: float, overlap: float) -> None:
    assert exact_match(answer, accepted, False) == exact
    assert f1(answer, accepted, False) == pytest.approx(overlap)


@given(st.text(alphabet=string.ascii_letters + string.punctuation + " éあ中", max_size=40))
def test_normalisation_is_the_scripts(text: str) -> None:
    """The four steps of SQuAD's script, in its order: small letters, no marks, no articles, single blanks."""
    import re

    bare = "".join(c for c in text.lower() if c not in set(string.punctuation))
    assert normalized(text) == " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


# CMRC's rule


@pytest.mark.parametrize(
    ("answer", "accepted", "exact", "overlap"),
    [
        ("踢爆", ["踢爆"], 1.0, 1.0),
        ("《踢爆》。", ["踢爆"], 1.0, 1.0),  # marks are dropped
        ("被人踢爆", ["踢爆"], 0.0, 2 * 2 / (4 + 2)),  # two of four characters, two of two
        ("由韩国Nexon开发", ["Nexon"], 0.0, 2 * 1 / (6 + 1)),  # a Latin word is one segment
        ("爆踢", ["踢爆"], 0.0, 2 * 1 / (2 + 2)),  # a shared run, not a bag of characters
        ("约4分钟", ["4分钟", "五分钟"], 0.0, 2 * 3 / (4 + 3)),
        ("", ["踢爆"], 0.0, 0.0),
    ],
)
def test_cmrcs_rule(answer: str, accepted: list[str], exact: float, overlap: float) -> None:
    assert exact_match(answer, accepted, True) == exact
    assert f1(answer, accepted, True) == pytest.approx(overlap)


@given(st.text(alphabet="中文分词踢爆ab1", max_size=12), st.text(alphabet="中文分词踢爆ab1", min_size=1, max_size=12))
def test_chinese_f1_is_that_of_cmrcs_script(answer: str, accepted: str) -> None:
    """Against its table of longest common substrings, on texts whose Latin runs are single words."""

    def segments(text: str) -> list[str]:
        found: list[str] = []
        word = ""
        for c in text:
            if "\u4e00" <= c <= "\u9fa5":
                found += [word, c] if word else [c]
                word = ""
            else:
                word += c
        return [*found, word] if word else found

    a, b = segments(answer), segments(accepted)
    table = np.zeros((len(a) + 1, len(b) + 1))
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1, j + 1] = table[i, j] + 1 if x == y else 0
    shared = table.max()
    expected = 2 * (shared / len(a)) * (shared / len(b)) / (shared / len(a) + shared / len(b)) if shared else 0.0
    assert f1(answer, [accepted], True) == pytest.approx(expected)


def test_the_rule_is_that_of_the_questions_language() -> None:
    assert by_characters(["玩家用什么泡封敌人？", "Nexon"])
    assert not by_characters(["Who won?", "France"])


# Accuracy, ROUGE-L, groundedness


@pytest.mark.parametrize(
    ("answer", "accepted", "characters", "expected"),
    [
        ("It was in the year 1976.", ["1976"], False, 1.0),
        ("It was in 19760.", ["1976"], False, 0.0),  # whole words
        ("no idea", ["1976", "idea"], False, 1.0),
        ("anything", ["the"], False, 0.0),  # nothing is left of it to be contained
        ("大约需要4分钟。", ["4分钟"], True, 1.0),
    ],
)
def test_accuracy(answer: str, accepted: list[str], characters: bool, expected: float) -> None:
    assert contains(answer, accepted, characters) == expected


def test_rouge_l_is_f1_of_the_longest_common_subsequence() -> None:
    """The examples of Lin 2004, section 3.1: equal weights give 3/4 and 2/4."""
    reference = ["police killed the gunman"]
    assert rouge_l("police kill the gunman", reference, False) == 3 / 4
    assert rouge_l("the gunman kill police", reference, False) == 2 / 4
    assert rouge_l("", reference, False) == 0.0
    assert rouge_l("abc", ["x", "abc"], False) == 1.0
    assert rouge_l("踢了爆", ["踢爆"], True) == 2 * 2 / (3 + 2)


SOURCE = "A generator is a function.  It looks like a\nnormal function, mostly. 生成器是一个函数。它很方便。"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("It looks like a normal function, mostly.", 1.0),
        ("a generator is a FUNCTION", 1.0),
        ("It looks like a normal function. It is blue.", 1 / 2),
        ("It is blue.", 0.0),
        ("enerator is a function.", 0.0),  # not from the middle of a word
        ("它很方便。", 1.0),
        ("它很不方便。", 0.0),
        ("", None),
        ("...", None),
    ],
)
def test_groundedness_is_the_share_of_sentences_that_stand_in_a_source(answer: str, expected: float | None) -> None:
    assert groundedness(answer, ["Something else.", SOURCE]) == expected


# Questions


def test_squad_2_brings_its_paragraphs(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(squad(), indent=1))
    found = read_questions(path)
    assert found.items == [
        Question("q1", "Who sleeps by day?", ("owl", "an owl"), "Night_birds-0"),
        Question("q2", "Who swims?", (), None),
    ]
    assert found.documents == [{"id": "Night_birds-0", "title": "Night birds", "text": "An owl sleeps by day."}]
    path.write_text(json.dumps(squad()))  # on one line it might be JSON Lines
    assert read_questions(path) == found


def squad() -> dict[str, Any]:
    answers = [
        {"text": "owl", "answer_start": 3},
        {"text": "owl", "answer_start": 3},
        {"text": "an owl", "answer_start": 0},
    ]
    plausible = [{"text": "owl", "answer_start": 3}]
    questions = [
        {"id": "q1", "question": "Who sleeps by day?", "answers": answers, "is_impossible": False},
        {"id": "q2", "question": "Who swims?", "answers": [], "plausible_answers": plausible, "is_impossible": True},
    ]
    paragraph = {"context": "An owl sleeps by day.", "qas": questions}
    return {"version": "v2.0", "data": [{"title": "Night_birds", "paragraphs": [paragraph]}]}


@pytest.mark.parametrize(
    ("line", "accepted"),
    [
        ({"id": "q", "question": "Who?", "answers": ["x", " "]}, ("x",)),
        ({"id": "q", "question": "Who?", "answers": "x"}, ("x",)),
        ({"id": "q", "question": "Who?", "answers": {"text": ["x", "y"], "answer_start": [1, 2]}}, ("x", "y")),
        ({"id": "q", "question": "Who?", "answers": []}, ()),
        ({"id": "q", "question": "Who?", "answers": ["x"], "is_impossible": True}, ()),
    ],
)
def test_shapes_of_a_question(tmp_path: Path, line: dict[str, Any], accepted: tuple[str, ...]) -> None:
    [question] = read_questions(write_lines(tmp_path / "qa.jsonl", line)).items
    assert question.answers == accepted


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        ([], "no question"),
        ([b"{broken"], "qa.jsonl:1"),
        ([{"id": "q", "answers": ["x"]}], "'question'"),
        ([{"id": "q", "question": "Who?"}], "'answers'"),
        ([{"id": "q", "question": "Who?", "answers": [1]}], "'answers'"),
        ([{"id": "q", "question": "Who?", "answers": []}] * 2, "q occurs twice"),
    ],
)
def test_what_is_no_question_is_said(ragcli: Run, tmp_path: Path, lines: list[Any], word: str) -> None:
    path = write_lines(tmp_path / "qa.jsonl", *lines)
    assert_two_lines(ragcli("eval", "answers", path), ExitCode.ERROR, word)


def test_a_file_that_is_neither(ragcli: Run, tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    path.write_text('{"data": [{"paragraphs": 3}]}')
    assert_two_lines(ragcli("eval", "answers", path), ExitCode.ERROR, "neither JSON Lines nor SQuAD")
    assert_two_lines(ragcli("eval", "answers", tmp_path / "absent.jsonl"), ExitCode.ERROR, "absent.jsonl")


# From questions to a report


class Speaker:
    """Answer each question by a text of its own, one character a token; without passages by another."""

    name, context, end_ids = "speaker", 4000, frozenset({0})

    def __init__(self, answers: dict[str, str], alone: str = "") -> None:
        self._answers, self._alone = answers, alone
        self._left = ""

    def encode(self, text: str) -> list[int]:
        return [ord(c) for c in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def prefill(self, prompt_ids: Sequence[int], rows: int) -> NDArray[np.float32]:
        prompt = self.decode(prompt_ids)
        asked = prompt.rpartition("Question:")[2]
        said = next((answer for word, answer in self._answers.items() if word in asked), "")
        self._left = said if prompt.startswith("[1]") else self._alone
        return self.step([])

    def step(self, token_ids: Sequence[int]) -> NDArray[np.float32]:
        logits = np.zeros((1, 128), np.float32)
        logits[0, ord(self._left[0]) if self._left else 0] = 9
        self._left = self._left[1:]
        return logits

    def log_probabilities(self, ids: Sequence[int], start: int) -> NDArray[np.float32]:
        raise NotImplementedError


QUESTIONS: list[dict[str, Any]] = [
    {"id": "right", "question": "Who hunts by night?", "answers": ["an owl"], "doc_id": "owl"},
    {"id": "half", "question": "Who jumps?", "answers": ["brown fox"], "doc_id": "fox"},
    {"id": "silent", "question": "Who sleeps?", "answers": ["cat"], "doc_id": "cat"},
    {"id": "unknown", "question": "Who flies to Mars?", "answers": []},
    {"id": "invented", "question": "Who is the lazy one?", "answers": []},
]
SAYS = {
    "hunts": "An owl.",
    "jumps": "A quick fox. It is blue.",
    "sleeps": "",
    "Mars": "",
    "lazy": "A lazy dog.",
}


@pytest.fixture
def measured(ragcli: Run, corpus: Path, tmp_path: Path) -> Callable[..., Report]:
    ragcli("index", corpus)
    path = write_lines(tmp_path / "qa.jsonl", *QUESTIONS)

    def measure(engine: LanguageModel, **options: Any) -> Report:
        greedy = Options(60, Sampling(temperature=0, no_repeat_ngram_size=0))
        location = IndexLocation("local", "knowledge_base", tmp_path / "home")
        job = AnswersConfig(path, location, AskOptions(greedy, k=2))._replace(**options)
        return evaluate_answers(job, lambda: EngineGenerator(engine), options.pop("callbacks", Callbacks()))

    return measure


def test_citations_are_right_where_their_source_supports_the_sentence() -> None:
    def sentence(cited: tuple[int, ...], supporting: tuple[int, ...]) -> CitedSentence:
        return CitedSentence("x", None, 0, 0, 0.0, cited=cited, supporting=supporting)

    sentences = [sentence((1, 2), (1,)), sentence((3,), ()), sentence((), (2,)), sentence((), ())]
    assert citations(sentences) == {
        "citation_precision": 1 / 3,
        "citation_recall": 1 / 4,
        "faithfulness": 2 / 4,
    }
    assert set(citations([]).values()) == {None}


def test_each_answer_is_measured(measured: Callable[..., Report]) -> None:
    report = measured(Speaker(SAYS))
    per_query = report.per_query
    right, half, silent = (per_query[name] for name in ("right", "half", "silent"))
    assert [right[name] for name in ("exact_match", "f1", "accuracy", "rouge_l", "recall@2")] == [1.0] * 5
    assert half["f1"] == pytest.approx(2 * 1 / (5 + 2))
    assert half["groundedness"] == 0.0
    assert (right["faithfulness"], right["citation_recall"], right["citation_precision"]) == (1.0, 0.0, None)
    assert silent["exact_match"] == 0.0
    assert per_query["unknown"]["exact_match"] == 1.0  # rightly silent
    assert per_query["invented"]["exact_match"] == 0.0
    assert report.queries == 5


def test_abstention_counts_silence_and_what_matches_nothing(measured: Callable[..., Report]) -> None:
    report = measured(Speaker(SAYS))
    # Silent on "unknown", rightly: where the model says nothing of passages that answer, they answer.
    # Of two questions without an answer one was found out.
    assert report.metrics["abstention_precision"] == 1
    assert report.metrics["abstention_recall"] == 1 / 2


def test_means_are_over_the_answers_that_have_the_measure(measured: Callable[..., Report]) -> None:
    report = measured(Speaker(SAYS))
    recalls = [values["recall@2"] for values in report.per_query.values()]
    assert recalls[3:] == [None, None]
    assert report.metrics["recall@2"] == sum(value or 0 for value in recalls[:3]) / 3
    assert report.metrics["f1"] == pytest.approx(sum(values["f1"] or 0 for values in report.per_query.values()) / 5)
    assert report.metrics["groundedness"] == pytest.approx((1 + 0 + 1 + 1) / 4)  # right, half, silent, invented


def test_what_passages_gain(measured: Callable[..., Report]) -> None:
    report = measured(Speaker(SAYS, alone="A brown fox."), baseline=True)
    without = report.details["without_passages"]
    assert without["answers"]["half"] == "A brown fox."
    assert without["metrics"]["recall@2"] is None
    assert without["gain"]["exact_match"] == report.metrics["exact_match"] - without["metrics"]["exact_match"]


def test_a_limit_takes_the_first_questions(measured: Callable[..., Report]) -> None:
    assert list(measured(Speaker(SAYS), limit=2).per_query) == ["right", "half"]


class Choking(Speaker):
    """Fail on one question."""

    def prefill(self, prompt_ids: Sequence[int], rows: int) -> NDArray[np.float32]:
        if "jumps?" in self.decode(prompt_ids):
            raise RagcliError("it choked", "Ask another.")
        return super().prefill(prompt_ids, rows)


def test_a_question_that_fails_stops_all_or_counts_as_wrong(measured: Callable[..., Report]) -> None:
    with pytest.raises(RagcliError, match="question half: it choked"):
        measured(Choking(SAYS))
    report = measured(Choking(SAYS), keep_going=True)
    assert report.failed == {"half": "it choked"}
    assert report.per_query["half"]["f1"] == 0.0
    assert report.metrics["abstention_precision"] == 1  # a failure is no abstention


def test_questions_with_documents_are_asked_about_these(ragcli: Run, tmp_path: Path) -> None:
    """With the packaged model, and from the command line; SQuAD's paragraphs count as documents too."""
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(squad()))
    result = ragcli("eval", "answers", path, "--max-new-tokens", "5", "--report", tmp_path / "report.json")
    assert result.code == 0
    [report] = result.objects()
    assert report["data"]["index"] == {"documents": 1, "passages": 1}
    assert report["metrics"]["recall@5"] == 1.0
    assert report["details"]["queries"]["q1"]["retrieved"] == ["Night_birds-0"]
    assert report["seconds"] > 0
    again = ragcli("eval", "answers", path, "--max-new-tokens", "5").objects()[0]
    assert again["details"] == report["details"]


def test_the_sample_questions_fit_the_sample_texts(ragcli: Run) -> None:
    samples = Path(__file__).parents[1] / "sample_data"
    titles = {}
    for line in (samples / "python.jsonl").read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        titles[document["id"]] = normalized(f"{document['title']} {document['text']}")
    for question in read_questions(samples / "python_questions" / "qa.jsonl").items:
        assert question.doc_id in titles if question.answers else question.doc_id is None
        assert not question.answers or any(
            normalized(text) in titles[str(question.doc_id)] for text in question.answers
        )
