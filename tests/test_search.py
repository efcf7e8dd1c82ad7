"""Searching by words, by meaning and by both, through the command line, on the embedded store.

The encoder is a random one of two layers: it knows nothing, but the same text has the same vector.
"""

import json
import os
import signal
import subprocess
import time
import tracemalloc
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from ragcli.documents import Document, Passage
from ragcli.settings import data_home
from ragcli.store import LOCAL, DocumentUpdate, IndexConfig, IndexLocation, open_store
from tests.support import Run, assert_two_lines, command, environment, write_lines
from tests.tiny_encoders import write_cross_encoder, write_encoder, write_reader

NOTES = [
    {"id": "fox", "title": "fox", "text": "a fox sleeps by the river", "year": 1},
    {"id": "owl", "title": "owl", "text": "an owl hunts at night", "year": 2},
    {"id": "hen", "title": "hen", "text": "a hen lays eggs by the river", "year": 3},
    {"id": "cat", "title": "cat", "text": "the cat sleeps", "year": 4},
]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("models") / "encoder")


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "notes.jsonl", *NOTES)


@pytest.fixture
def indexed(ragcli: Run, notes: Path, encoder: Path) -> Path:
    assert ragcli("index", notes, "--encoder", encoder).code == 0
    return notes


def found(ragcli: Run, *arguments: str) -> list[dict[str, Any]]:
    result = ragcli("search", *arguments, "--format", "json")
    assert result.code == 0, result.err
    return [json.loads(line) for line in result.out.splitlines()]


def ids(hits: list[dict[str, Any]]) -> list[str]:
    return [hit["id"] for hit in hits]


def test_meaning_finds_what_no_word_matches(ragcli: Run, indexed: Path) -> None:
    assert ragcli("search", "zebra", "--mode", "keyword").code == 3
    assert len(found(ragcli, "zebra", "--mode", "semantic")) == 4
    best = found(ragcli, "owl\nan owl hunts at night", "--mode", "semantic")[0]
    assert best["id"] == "owl" and best["score"] == pytest.approx(1, abs=2e-2)


def test_hybrid_is_the_default_where_there_are_vectors(ragcli: Run, indexed: Path) -> None:
    assert found(ragcli, "fox river") == found(ragcli, "fox river", "--mode", "hybrid")
    assert len(found(ragcli, "fox river")) == 4 > len(found(ragcli, "fox river", "--mode", "keyword"))


@pytest.mark.parametrize("marks", ["???", "\N{THINKING FACE}", "//"])
def test_marks_alone_match_no_meaning(ragcli: Run, indexed: Path, marks: str) -> None:
    result = ragcli("search", marks)
    assert result.code == 3 and "Nothing found" in result.err + result.out


def test_explain_shows_what_a_score_is_made_of(ragcli: Run, indexed: Path) -> None:
    hits = found(ragcli, "fox river", "--explain")
    for hit in hits:
        assert hit["score"] == pytest.approx(sum(part["share"] for part in hit["parts"].values()))
    assert next(set(hit["parts"]) for hit in hits if hit["id"] == "fox") == {"keyword", "semantic"}
    assert "parts" not in found(ragcli, "fox river")[0]
    table = ragcli("search", "fox river", "--explain", "--format", "table").out
    assert "keyword" in table and "semantic" in table


def test_a_weight_of_nothing_leaves_one_half_its_order(ragcli: Run, indexed: Path) -> None:
    by_meaning = ids(found(ragcli, "fox river", "--mode", "semantic"))
    for fusion in ("scaled", "min-max", "rrf", "z-score"):
        assert ids(found(ragcli, "fox river", "--weight", "1", "--fusion", fusion)) == by_meaning
        assert ids(found(ragcli, "fox river", "--weight", "0", "--fusion", fusion))[0] == "fox"


@pytest.mark.parametrize("mode", ["keyword", "semantic", "hybrid"])
def test_filters_hold_before_anything_is_ranked(ragcli: Run, indexed: Path, mode: str) -> None:
    hits = found(ragcli, "the fox by the river sleeps", "-k", "1", "--mode", mode, "--where", "year>=3")
    assert ids(hits) in (["hen"], ["cat"])
    assert set(ids(found(ragcli, "river sleeps", "--mode", mode, "--where", "year>=3"))) == {"hen", "cat"}


def test_only_what_is_new_or_changed_is_encoded(ragcli: Run, indexed: Path, encoder: Path) -> None:
    vectors = data_home() / "indexes" / "knowledge_base" / "vectors.bin"
    before = vectors.stat().st_size
    write_lines(indexed, *NOTES[1:], NOTES[0] | {"year": 9}, {"id": "dog", "text": "a dog barks"})
    result = ragcli("index", indexed, "--format", "json")  # the index remembers its encoder
    counts = json.loads(result.out)
    assert (counts["added"], counts["updated"], counts["unchanged"]) == (1, 1, 3)
    assert vectors.stat().st_size - before == (before - 64) / 4  # one row: the changed document's text is the same
    assert found(ragcli, "a dog barks", "--mode", "semantic")[0]["id"] == "dog"


def test_another_encoder_does_not_mix_in(ragcli: Run, indexed: Path, encoder: Path, tmp_path: Path) -> None:
    other = write_encoder(tmp_path / "other", pooling="cls")
    assert ragcli("index", indexed, "--encoder", other, "--index", "other").code == 0
    assert_two_lines(ragcli("index", indexed, "--encoder", other), 1, str(encoder), "--rebuild")
    assert ragcli("index", indexed, "--encoder", other, "--rebuild").code == 0
    assert found(ragcli, "an owl", "--mode", "semantic")
    write_encoder(other, hidden_size=64, num_attention_heads=4)
    result = ragcli("search", "an owl")
    assert result.code == 1 and "no longer the encoder" in result.err and "--mode keyword" in result.err
    assert found(ragcli, "owl", "--mode", "keyword")


def test_an_encoder_that_is_gone_is_told_with_the_way_out(
    ragcli: Run, notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert_two_lines(ragcli("index", notes, "--encoder", "nobody/encoder"), 5, "nobody/encoder", "--mode keyword")
    assert ragcli("search", "owl").code == 1  # and no index was made
    folder = write_encoder(tmp_path / "gone")
    assert ragcli("index", notes, "--encoder", folder).code == 0
    folder.rename(tmp_path / "elsewhere")
    result = ragcli("search", "owl")
    assert_two_lines(result, 1, "gone")
    assert ids(found(ragcli, "owl", "--mode", "keyword")) == ["owl"]


def test_a_mode_that_needs_vectors_is_an_error_if_it_was_named_and_else_gives_way(
    ragcli: Run, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ragcli("index", notes).code == 0
    for mode in ("semantic", "hybrid"):
        assert_two_lines(ragcli("search", "owl", "--mode", mode), 1, "no vectors", "--encoder minilm --rebuild")
    assert ragcli("search", "owl").err == ""
    monkeypatch.setenv("RAGCLI_MODE", "hybrid")
    result = ragcli("search", "owl", "--format", "json")
    assert result.code == 0 and "no vectors" in result.err and len(result.out.splitlines()) == 1


def test_documents_like_one(ragcli: Run, indexed: Path, tmp_path: Path) -> None:
    for mode in ("keyword", "semantic", "hybrid"):
        like = ids(found(ragcli, "--like", "fox", "--mode", mode))
        assert "fox" not in like and like
    assert ids(found(ragcli, "--like", "fox", "--mode", "keyword"))[0] in ("hen", "cat")
    text = tmp_path / "text.txt"
    text.write_text("Foxes hunt at night by the river; a fox sleeps.")
    assert ids(found(ragcli, "--like-file", str(text), "--mode", "keyword"))[0] == "fox"
    assert len(found(ragcli, "--like-file", str(text), "-k", "2")) == 2
    assert_two_lines(ragcli("search", "--like", "nobody"), 3, "'nobody'")
    assert_two_lines(ragcli("search", "fox", "--like", "fox"), 2, "one thing")
    assert_two_lines(ragcli("search"), 2, "one thing")


def test_a_cross_encoder_orders_anew(ragcli: Run, indexed: Path, tmp_path: Path) -> None:
    reranker = write_cross_encoder(tmp_path / "reranker")
    hits = found(ragcli, "fox river", "--rerank", str(reranker), "--explain")
    assert len(hits) == 4
    for hit in hits:
        parts = hit["parts"]
        assert hit["score"] == pytest.approx(parts["first"]["share"] + parts["rerank"]["share"])
    logits = [hit["parts"]["rerank"]["score"] for hit in sorted(hits, key=lambda hit: hit["parts"]["rerank"]["rank"])]
    assert logits == sorted(logits, reverse=True)
    few = found(ragcli, "fox river", "--rerank", str(reranker), "--candidates", "2", "--explain")
    assert ["rerank" in hit["parts"] for hit in few] == [True, True, False, False]


def test_a_reader_orders_by_how_well_passages_answer(ragcli: Run, notes: Path, tmp_path: Path) -> None:
    assert ragcli("index", notes, "--no-encoder").code == 0
    for name in ("reader", str(write_reader(tmp_path / "own"))):
        hits = found(ragcli, "Where does the fox sleep?", "--rerank", name, "--explain")
        read = sorted(hits, key=lambda hit: -hit["parts"]["rerank"]["score"])
        assert [hit["parts"]["rerank"]["rank"] for hit in read] == list(range(1, len(read) + 1))
        assert name != "reader" or read[0]["id"] == "fox"


def test_a_language_model_orders_by_how_likely_it_finds_the_question(ragcli: Run, notes: Path) -> None:
    from ragcli.models import PACKAGED

    assert ragcli("index", notes).code == 0
    hits = found(ragcli, "river sleeps", "--rerank", str(PACKAGED), "--explain")
    assert {hit["id"] for hit in hits} == {"fox", "hen", "cat"}
    assert all(hit["parts"]["rerank"]["score"] < 0 for hit in hits)


def test_diversity_moves_what_says_the_same_down(ragcli: Run, notes: Path, encoder: Path) -> None:
    write_lines(notes, *NOTES, NOTES[0] | {"id": "fox2", "text": f"{NOTES[0]['text']} ."})
    assert ragcli("index", notes, "--encoder", encoder).code == 0
    query = ("fox\na fox sleeps by the river", "--mode", "semantic")
    plain, diverse = (ids(found(ragcli, *query, *more)) for more in ([], ["--diversity", "0.7"]))
    assert plain[:2] == ["fox", "fox2"]
    assert diverse[0] == plain[0] and diverse[-1] == plain[1]
    assert ragcli("index", notes, "--index", "words").code == 0
    assert ids(found(ragcli, "fox river", "--index", "words", "--diversity", "0.7")) == ["fox", "hen", "fox2"]


def test_a_misspelled_word_is_searched_for_by_its_nearest(ragcli: Run, indexed: Path) -> None:
    for query, word, near in (("rivver", "rivver", "river"), ("Sleesp", "Sleesp", "sleeps")):
        result = ragcli("search", query, "--mode", "keyword", "--format", "json")
        assert len(result.objects()) == 2
        assert f"no passage has {word!r}: searching for {near!r}" in result.err
    assert ids(found(ragcli, "hunst owl fox", "--mode", "keyword")) == ["owl", "fox"]


@pytest.mark.parametrize("query", ["river", "RIVVER", "rivver2", "foz", "zebra crossing", "fox 河流sleeep1"])
def test_names_short_words_and_what_is_there_stay_as_they_are(ragcli: Run, indexed: Path, query: str) -> None:
    assert "searching for" not in ragcli("search", query, "--mode", "keyword").err


def test_a_misspelled_word_weighs_as_much_as_the_right_one(ragcli: Run, indexed: Path) -> None:
    right = found(ragcli, "sleeps by a river", "--mode", "keyword")
    assert found(ragcli, "sleeps by a riverr", "--mode", "keyword") == right


def test_a_part_of_a_word_in_a_hit_is_not_that_word(ragcli: Run, tmp_path: Path) -> None:
    assert ragcli("index", write_lines(tmp_path / "one.jsonl", {"text": "an owl has a function"})).code == 0
    assert "no passage has 'functio': searching for 'function'" in ragcli("search", "owl functio").err


def test_long_and_odd_queries_are_searched_for(ragcli: Run, indexed: Path) -> None:
    assert len(found(ragcli, " ".join(["river"] * 10_000))) == 4
    assert len(found(ragcli, '() AND "owl~2 列表 [red]x[/red] \x1b[31m')) == 4
    assert_two_lines(ragcli("search", "  "), 2, "empty")


def test_ask_and_review_take_the_mode(ragcli: Run, indexed: Path) -> None:
    prompt = ragcli("ask", "zebra", "--dry-run", "--mode", "semantic", "--evidence", "passages")
    assert prompt.code == 0 and "[4]" in prompt.out
    assert ragcli("ask", "zebra", "--dry-run", "--mode", "keyword").code == 3
    assert ragcli("review", "owl", "--dry-run", "--mode", "semantic").code == 0


def test_a_killed_run_does_not_encode_again(ragcli: Run, encoder: Path, tmp_path: Path) -> None:
    """Real process, real kill: what the next run still has to encode is less than all."""
    many = write_lines(tmp_path / "many.jsonl", *({"id": f"d{n}", "text": f"note {n} of a fox"} for n in range(3000)))
    vectors = data_home() / "indexes" / "many" / "vectors.bin"
    line = command("index", many, "--encoder", encoder, "--index", "many")
    with subprocess.Popen(line, env=environment({}), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while not (vectors.exists() and vectors.stat().st_size > 64 + 500 * 136) and time.monotonic() < until:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    written = vectors.stat().st_size
    assert written > 64
    assert ragcli("index", many, "--index", "many").code == 0
    assert vectors.stat().st_size == 64 + 3000 * 136  # each text once, none of those before the kill again
    assert len(found(ragcli, "note 7 of a fox", "--index", "many", "--mode", "semantic")) == 10


def test_an_endless_query_is_cut_and_told(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    words = " ".join(f"word{chr(97 + n % 26)}{n}" for n in range(150_000))
    cut = ragcli("search", f"fox {words}")
    assert [hit["id"] for hit in cut.objects()] == ["fox"]
    assert "the query is long: only its first" in cut.err
    assert ragcli("search", f"{words} fox").code == 3


def test_copies_of_a_passage_are_one_hit(ragcli: Run, tmp_path: Path) -> None:
    copies = [
        {"id": f"copy{i}", "text": "The parcel  may be late." if i else "the parcel may be late."} for i in range(9)
    ]
    other = {"id": "other", "text": "The van comes with each parcel on Thursday, and with much else that is late."}
    assert ragcli("index", write_lines(tmp_path / "copies.jsonl", *copies, other)).code == 0
    hits = found(ragcli, "late parcel", "-k", "2", "--mode", "keyword")
    assert [(hit["id"], hit.get("copies", 1)) for hit in hits] == [("copy0", 9), ("other", 1)]


def test_names_with_digits_are_found_by_words(ragcli: Run, tmp_path: Path) -> None:
    texts = {"wanted": "RFQ-0054 decides on invoices.", "parts": "The RFQ of May says nothing about box 0054."}
    lines = [{"id": name, "text": text} for name, text in texts.items()]
    assert ragcli("index", write_lines(tmp_path / "names.jsonl", *lines)).code == 0
    for query in ("RFQ-0054", "RFQ0054", "rfq 0054", "rfq-0054"):
        assert ids(found(ragcli, query))[0] == "wanted"


def test_a_verb_with_a_particle_finds_its_noun(ragcli: Run, tmp_path: Path) -> None:
    texts = {"wanted": "Making backups of documents.", "parts": "The back end of documents is written in Python."}
    lines = [{"id": name, "text": text} for name, text in texts.items()]
    assert ragcli("index", write_lines(tmp_path / "verbs.jsonl", *lines)).code == 0
    assert ids(found(ragcli, "how do I back up documents", "--mode", "keyword"))[0] == "wanted"


def test_an_answer_comes_from_release_notes_last(ragcli: Run, tmp_path: Path) -> None:
    note = {"id": "note", "title": "Changelog › 0.9", "text": "The way to set the language of the scanner was renamed."}
    page = {"id": "page", "title": "Scanner", "text": "Its language is a setting of the configuration file."}
    assert ragcli("index", write_lines(tmp_path / "pages.jsonl", note, page)).code == 0

    def first(question: str) -> str:
        return str(json.loads(ragcli("ask", question, "--format", "json").out)["sources"][0]["id"])

    assert first("how to set the language of the scanner") == "page"
    assert first("was the language setting of the scanner changed in 0.9?") == "note"


def test_a_misspelled_word_is_compared_with_few_of_a_million(tmp_path: Path) -> None:
    """Words of one letter, of which no list is made: the memory of Python's own stays small."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["q" + "".join(three) + "zzzzz" for three in product(letters, repeat=3)]
    location = IndexLocation(LOCAL, "many", tmp_path)
    with open_store(location, IndexConfig("en", 1200)) as store:
        texts = [" ".join(words[i : i + 100]) for i in range(0, len(words), 100)]
        documents = [Document(f"{n}", "", text, {}) for n, text in enumerate(texts)]
        store.write(DocumentUpdate(one.id, None, one, "", [Passage(0, one.text)]) for one in documents)
        tracemalloc.start()
        [near] = store.near_words(["qabczzzz"])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert "qabczzzzz" in near
    assert peak < 2 * 2**20
