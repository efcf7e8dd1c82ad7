"""The Python interface: what the page about it shows, and what it costs to import."""

import doctest
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ragcli import Index, RagcliError, ask
from ragcli.warm import keep_models, opened_index
from tests.documentation import DOCS
from tests.support import environment, write_lines


@pytest.fixture(autouse=True)
def _models() -> Iterator[None]:
    yield
    keep_models(False)


def test_the_page_shows_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = doctest.testfile(str(DOCS / "python.md"), module_relative=False, encoding="utf-8")
    assert found.attempted >= 8
    assert found.failed == 0


def test_importing_ragcli_loads_nothing_else() -> None:
    program = "import ragcli, sys; print(*sorted(name for name in sys.modules if name.startswith('ragcli.')))"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment({}), check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == ""


def test_an_index_sees_what_others_write_and_answers_several_at_once(corpus: Path, tmp_path: Path) -> None:
    index, other = Index("animals"), Index("animals")
    assert index.add(corpus, language="en").added == 3
    write_lines(tmp_path / "more.jsonl", {"id": "emu", "title": "The emu", "text": "An emu runs by day."})
    assert other.add(tmp_path / "more.jsonl").added == 1
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(index.ask, ["What does an emu do by day?"] * 8))
    assert {answer.answer for answer in answers} == {"An emu runs by day. [1]"}
    assert [hit.id for hit in index.search("day", where=["year>=2005"])] == ["cat", "owl"]
    assert [hit.id for hit in index.like("owl", k=1)] == ["cat"]
    assert index.delete("emu") == ["emu"]
    assert [entry.id for entry in other.documents()] == ["cat", "fox", "owl"]
    with index.conversation() as conversation:
        assert "hunts by night" in conversation.ask("When does an owl hunt?").answer.answer


def test_an_index_stays_open_until_it_changes(corpus: Path, tmp_path: Path) -> None:
    index = Index("animals")
    index.add(corpus, language="en")
    kept = opened_index(index.location)
    assert opened_index(index.location) is kept
    index.delete("cat")
    assert opened_index(index.location) is not kept
    kept = opened_index(index.location)
    index.add(write_lines(tmp_path / "more.jsonl", {"id": "emu", "text": "An emu runs.", "speed": 50}))
    assert opened_index(index.location) is not kept
    assert [hit.id for hit in index.search("emu", where=["speed>=50"])] == ["emu"]
    assert Index("animals", home=tmp_path / "elsewhere").location != index.location
    keep_models(False)
    assert opened_index(index.location) is not opened_index(index.location)


def test_what_a_user_can_mend_has_a_hint(tmp_path: Path) -> None:
    with pytest.raises(RagcliError, match="no index named nothing") as raised:
        Index("nothing", home=tmp_path).search("owl")
    assert raised.value.hint == "Create it: ragcli index FILE --index nothing"
    write_lines(tmp_path / "a.jsonl", {"id": "a", "text": "A text."})
    Index("films", home=tmp_path).add(tmp_path / "a.jsonl")
    with pytest.raises(RagcliError) as raised:
        Index("nothing", home=tmp_path).search("owl")
    assert raised.value.hint.endswith("--index nothing, or choose another: --index films")


def test_one_call_indexes_and_answers(corpus: Path) -> None:
    assert "lazy dog" in ask("What does the fox jump over?", corpus).answer
