"""Questions in ten languages are answered as well as their English twins, in both stores."""

import unicodedata
from pathlib import Path

import pytest

from ragcli import Index
from ragcli.store import drop_index
from tests.language_questions import QUESTIONS
from tests.support import write_lines
from tests.test_store_contract import ENGINES, new_place


def answered(engine: str, language: str, request: pytest.FixtureRequest, home: Path) -> int:
    """Count the questions of a language that are answered right, from the text that holds the answer."""
    place = new_place(engine, request, home)
    facts = QUESTIONS[language]
    lines = [{"id": str(n), "text": fact[0]} for n, fact in enumerate(facts)]
    index = Index(place.name, store=place.url, home=home, mode="keyword")
    index.add(write_lines(home / f"{language}.jsonl", *lines), language=language)
    answers = [(index.ask(question), held) for _, question, held in facts]
    drop_index(place)
    return sum(
        held in answer.answer and answer.sources[0].id == str(n)
        for n, (answer, held) in enumerate(answers)
        if not answer.abstained
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_questions_are_answered_as_well_as_in_english(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    right = {language: answered(engine, language, request, tmp_path) for language in QUESTIONS}
    assert right["en"] >= 9
    assert {language: count for language, count in right.items() if count < right["en"]} == {}


def test_a_question_has_one_answer_in_either_form_of_unicode(tmp_path: Path) -> None:
    index = Index("one", home=tmp_path, mode="keyword")
    texts = ("Was kostet die Größe?", "Herr Müller liest Bücher in der Küche. Er kocht Gemüse.")
    index.add(write_lines(tmp_path / "de.jsonl", *({"id": text, "text": text} for text in texts)), language="de")
    forms = (unicodedata.normalize(form, "Wo liest Herr Müller Bücher in der Küche?") for form in ("NFC", "NFD"))
    composed, decomposed = (index.ask(form) for form in forms)
    assert composed.confidence == decomposed.confidence and composed.answer == decomposed.answer
