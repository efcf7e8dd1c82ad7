"""What both stores promise: the same answers to the same calls, held against a brute-force oracle."""

import random
import re
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from math import log
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragcli.chunking import split_passages
from ragcli.documents import Document, content_hash
from ragcli.errors import MissingIndexError, RagcliError
from ragcli.filters import Filter, metadata_terms, parse_filter, ranges
from ragcli.store import (
    LOCAL,
    Counts,
    DocumentUpdate,
    Hit,
    IndexConfig,
    IndexLocation,
    QueryClause,
    Store,
    Stored,
    drop_index,
    open_store,
)
from tests.oracle import Found, Oracle, satisfies

SIZE = 120
CONFIG = IndexConfig("en", SIZE)
ENGINES = (LOCAL, "elasticsearch")
SAMPLES = Path(__file__).parent.parent / "sample_data"


def new_place(engine: str, request: pytest.FixtureRequest, home: Path) -> IndexLocation:
    """Name an index that is not there yet."""
    url = LOCAL if engine == LOCAL else request.getfixturevalue("elasticsearch").url
    return IndexLocation(url, f"contract-{uuid.uuid4().hex}", home)


@pytest.fixture(params=ENGINES)
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[IndexLocation]:
    """Yield where an index may be made, in each engine."""
    location = new_place(request.param, request, tmp_path)
    yield location
    drop_index(location)


@pytest.fixture
def store(location: IndexLocation) -> Iterator[Store]:
    """Yield an empty index."""
    with open_store(location, CONFIG) as store:
        yield store


def document(doc_id: str, text: str = "Some text.", title: str = "", /, **metadata: Any) -> Document:
    """Make a document."""
    return Document(doc_id, title, text, metadata)


def update(new: Document, old: Stored | None = None, size: int = SIZE) -> DocumentUpdate:
    """Make the change that brings a document in, in place of `old`."""
    digest = content_hash(new.title, new.text, new.metadata)
    return DocumentUpdate(new.id, old, new, digest, split_passages(new.text, size))


def put(store: Store, *documents: Document) -> None:
    """Bring documents in, in place of what is stored under their ids."""
    known = {old.doc_id: old for old in store.stored([document.id for document in documents])}
    store.write(update(document, known.get(document.id)) for document in documents)


def remove(store: Store, *doc_ids: str) -> None:
    """Take documents out."""
    store.write([DocumentUpdate(old.doc_id, old) for old in store.stored(doc_ids)])


def words(text: str, light: str = "") -> list[QueryClause]:
    """Ask for the words of a text, and, for a third of their score, for those of another that match nothing."""
    return [QueryClause(text)] * bool(text) + [QueryClause(light, 0.3, required=False)] * bool(light)


def ids(hits: Sequence[Hit]) -> list[str]:
    """Return the hits' document ids in order."""
    return [hit.id for hit in hits]


def sentences(word: str, count: int) -> str:
    """Write a text that becomes one passage a sentence."""
    return " ".join(f"Number {i} of all {word} {'goes on ' * 10}to its end." for i in range(count))


def passages_of(store: Store, doc_id: str) -> list[tuple[int, str]]:
    """Return start and text of all passages of a document."""
    return [(hit.start, hit.text) for hit in store.search(words(""), 100, [Filter("id", "=", doc_id)])]


# Adding, changing, removing


def test_an_empty_index_answers(store: Store) -> None:
    assert store.counts() == Counts(0, 0)
    assert store.search(words("anything"), 10) == store.search(words(""), 10) == []
    assert list(store.stored()) == list(store.stored(["a"])) == list(store.stored([])) == []
    assert store.fields() == store.values("title", "", 10) == []


def test_documents_and_passages_are_counted(store: Store) -> None:
    put(store, document("a", sentences("apples", 3)), document("b"), document("c", sentences("cherries", 5)))
    assert store.counts() == Counts(3, 3 + 1 + 5)


def test_no_change_changes_nothing(store: Store) -> None:
    put(store, document("a"))
    store.write([])
    assert store.counts() == Counts(1, 1)


@pytest.mark.parametrize(("before", "after"), [(5, 2), (2, 5), (3, 3), (1, 4), (4, 1)])
def test_a_new_text_replaces_all_passages(store: Store, before: int, after: int) -> None:
    other = document("other", sentences("others", 2))
    put(store, other, document("a", sentences("apples", before)))
    put(store, document("a", sentences("pears", after)))
    assert passages_of(store, "a") == [tuple(passage) for passage in split_passages(sentences("pears", after), SIZE)]
    assert store.search(words("apples"), 10) == []
    assert len(passages_of(store, "other")) == 2
    assert store.counts() == Counts(2, 2 + after)


def test_a_removed_document_is_gone(store: Store) -> None:
    put(store, document("a", sentences("apples", 4), "Fruit", kind="fruit"), document("b"))
    remove(store, "a", "none such")
    assert store.counts() == Counts(1, 1)
    assert [store.search(words("apples fruit"), 10), store.values("kind", "", 10), list(store.stored(["a"]))] == [
        [],
        [],
        [],
    ]


def test_a_removed_document_can_come_again(store: Store) -> None:
    put(store, document("a", sentences("apples", 4)))
    remove(store, "a")
    put(store, document("a", sentences("pears", 2)))
    assert store.counts() == Counts(1, 2)


def test_an_id_that_came_more_than_once_can_be_put_right(store: Store) -> None:
    versions = [document("a", sentences("apples", number)) for number in (4, 1, 7, 2)]
    store.write(update(version) for version in versions)
    put(store, versions[-1])
    assert store.counts() == Counts(1, 2)
    assert list(store.stored()) == [Stored("a", content_hash(*versions[-1][1:4]), 2)]


def test_stored_tells_hash_and_passages(store: Store) -> None:
    apples = document("a", sentences("apples", 3), "Apples", year=2010)
    put(store, apples, document("b"))
    known = Stored("a", content_hash(*apples[1:4]), 3)
    assert list(store.stored(["a", "none such"])) == [known]
    assert sorted(store.stored())[0] == known
    assert {old.doc_id: old.passages for old in store.stored()} == {"a": 3, "b": 1}


def test_stored_takes_thousands_of_ids(store: Store) -> None:
    numbers = [f"{i:05}" for i in range(2_500)]
    store.write(update(document(number)) for number in numbers)
    assert sorted(old.doc_id for old in store.stored(numbers)) == numbers
    assert sorted(old.doc_id for old in store.stored()) == numbers


def test_what_stops_the_changes_comes_out(store: Store) -> None:
    def broken(error: BaseException) -> Iterator[DocumentUpdate]:
        yield update(document("a"))
        raise error

    with pytest.raises(RagcliError, match="the file is damaged"):
        store.write(broken(RagcliError("the file is damaged", "")))
    with pytest.raises(KeyboardInterrupt):
        store.write(broken(KeyboardInterrupt()))
    put(store, document("b"))
    assert "b" in ids(store.search(words(""), 10))


def test_the_store_can_be_asked_while_changes_are_made(store: Store) -> None:
    put(store, document("a", sentences("apples", 3)))

    def updates() -> Iterator[DocumentUpdate]:
        [old] = store.stored(["a"])
        yield update(document("a", sentences("pears", 1)), old)
        for old in store.stored():
            if old.doc_id != "a":
                yield DocumentUpdate(old.doc_id, old)

    store.write(updates())
    assert store.counts() == Counts(1, 1)


# The index as a whole


def test_a_missing_index_says_how_to_make_it(location: IndexLocation) -> None:
    with pytest.raises(MissingIndexError, match=location.name) as error:
        open_store(location)
    assert "ragcli index FILE" in error.value.hint
    assert location.name in error.value.hint


def test_facts_and_documents_stay(location: IndexLocation) -> None:
    with open_store(location, IndexConfig("ja", 77)) as store:
        put(store, document("a", "日本語の文章。"))
    with open_store(location, IndexConfig("en", 500)) as again:  # what is there already is not made anew
        assert again.config == IndexConfig("ja", 77)
    with open_store(location) as store:
        assert store.config == IndexConfig("ja", 77)
        assert ids(store.search(words("文章"), 10)) == ["a"]


def test_a_dropped_index_is_gone(location: IndexLocation) -> None:
    open_store(location, CONFIG).close()
    drop_index(location)
    with pytest.raises(MissingIndexError):
        open_store(location)
    drop_index(location)


# Hits


def test_a_hit_holds_the_passage_and_its_place(store: Store) -> None:
    text = "  One sentence that is about apples.\n\n" + sentences("pears", 3)
    put(store, document("a", text, "Fruit", year=2010))
    hits = store.search(words("pears"), 10)
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert all(text[hit.start : hit.end] == hit.text for hit in hits)
    assert {(hit.id, hit.title, hit.metadata["year"]) for hit in hits} == {("a", "Fruit", 2010)}


def test_the_score_is_bm25(store: Store) -> None:
    put(store, document("a", "python"), document("b", "java java java"))
    (hit,) = store.search(words("python"), 10)
    idf = log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    assert hit.score == pytest.approx(idf * (1.2 + 1) * 1 / (1 + 1.2 * (1 - 0.75 + 0.75 * 1 / 2)), rel=1e-5)


def test_title_and_text_are_one_field(store: Store) -> None:
    put(store, document("a", "loops again", "python"), document("b", "python again", "loops"))
    assert [hit.score for hit in store.search(words("python"), 10)] == [
        pytest.approx(store.search(words("loops"), 1)[0].score)
    ] * 2
    assert ids(store.search(words("python loops"), 10)) == ["a", "b"]


def test_english_is_stemmed_and_function_words_are_found_too(store: Store) -> None:
    put(store, document("a", "The functions were running."), document("b", "A class of its own."))
    assert ids(store.search(words("Function RUNS"), 10)) == ["a"]
    assert ids(store.search(words("the"), 10)) == ["a"]
    assert ids(store.search(words("of its own"), 10)) == ["b"]


@pytest.mark.parametrize(("language", "text", "query"), [
    ("zh", "列表推导式是什么？Python很好用。", "推导"),
    ("ja", "リスト内包表記とは何ですか。", "内包表記"),
    ("ko", "리스트 컴프리헨션은 무엇입니까", "컴프리헨션"),
    ("zh", "全角ＡＢＣ也行", "abc"),
    ("zh", "用Python写", "python"),
])  # fmt: skip
def test_cjk_is_matched_by_bigrams(location: IndexLocation, language: str, text: str, query: str) -> None:
    with open_store(location, IndexConfig(language, SIZE)) as store:
        put(store, document("a", text), document("b", "完全不同的话题"))
        assert ids(store.search(words(query), 10)) == ["a"]


# A text, a word of it in another form, and a function word of it.
STEMMED_TEXTS = [
    ("ar", "القراءة في المكتبات العامة", "المكتبة", ""),
    ("da", "Funktionerne er i modulet.", "funktion", "i"),
    ("de", "Die Funktionen stehen in den Modulen.", "Funktion", "die"),
    ("el", "Οι συναρτήσεις επιστρέφουν τιμές.", "τιμή", ""),
    ("es", "Las funciones devuelven los valores.", "función", "los"),
    ("fi", "Funktiot ovat moduulissa ja luokassa.", "moduulista", "ja"),
    ("fr", "Les fonctions de l’état rendent des valeurs.", "valeur", "les"),
    ("hu", "A függvények értéket adnak.", "függvény", "a"),
    ("it", "Le funzioni restituiscono i valori dell’insieme.", "funzione", "le"),
    ("nl", "De functies geven de waarden terug.", "waarde", "de"),
    ("no", "Funksjonene gir verdiene og navnene.", "funksjon", "og"),
    ("pt", "As funções devolvem os valores.", "valor", "os"),
    ("ro", "Funcțiile întorc valorile.", "valori", ""),
    ("ru", "Функции возвращают значения и списки.", "значение", "и"),
    ("sv", "Funktionerna ger värden och namnen.", "funktion", "och"),
    ("tr", "Fonksiyonlar kitapları okur.", "kitap", ""),
]


@pytest.mark.parametrize(("language", "text", "query", "function_word"), STEMMED_TEXTS)
def test_words_are_stemmed_by_the_rules_of_the_language(
    location: IndexLocation, language: str, text: str, query: str, function_word: str
) -> None:
    with open_store(location, IndexConfig(language, SIZE)) as store:
        put(store, document("a", text), document("b", "Python 3000"))
        assert ids(store.search(words(query), 10)) == ["a"]
        assert ids(store.search(words(function_word or "none"), 10)) == ["a"] * bool(function_word)
        assert ids(store.search(words("PYTHON"), 10)) == ["b"]


MIXED = [
    document("zh", "列表推导式 is what Chinese programmers call a comprehension.", "Python 术语"),
    document("apart", "导 推 are two characters, 表 and 列 two others."),
    document("en", "Comprehensions make lists."),
]


@pytest.mark.parametrize(
    ("language", "query", "found"),
    [
        ("en", "推导", ["zh"]),
        ("en", "术语", ["zh"]),
        ("en", "推导 comprehension", ["zh", "en"]),
        ("en", "导", ["apart", "zh"]),
        ("en", "推导式的functions", ["zh"]),
        ("en", "的", []),
        ("de", "列表推导", ["zh"]),
        ("zh", "推导", ["zh"]),
        ("zh", "comprehension推导", ["zh"]),
        ("zh", "Comprehensions", ["en"]),
    ],
)
def test_texts_of_two_languages_are_found_by_either(
    location: IndexLocation, language: str, query: str, found: list[str]
) -> None:
    with open_store(location, IndexConfig(language, SIZE)) as store:
        put(store, *MIXED)
        assert ids(store.search(words(query), 10)) == found
        assert store.frequencies(["推导", "列表推导", "推表", "python"]) == [1, 1, 0, 1]


def test_ties_go_by_id_and_start(store: Store) -> None:
    put(store, *(document(name, sentences("apples", 2)) for name in ("b", "a10", "a9", "Z", "ä")))
    hits = store.search(words("apples"), 100)
    assert len(hits) == 10
    assert [(hit.id, hit.start) for hit in hits] == sorted((hit.id, hit.start) for hit in hits)
    assert ids(store.search(words("apples"), 3)) == ["Z", "Z", "a10"]


def test_k_beyond_all_gives_all(store: Store) -> None:
    put(store, document("a", "apples"), document("b", "apples"), document("c", "pears"))
    assert len(store.search(words("apples"), 1_000)) == 2
    assert len(store.search(words(""), 1_000)) == 3


def test_more_hits_than_a_page(store: Store) -> None:
    store.write(update(document(f"{i:05}", "apples")) for i in range(5_500))
    assert ids(store.search(words("apples"), 5_200)) == [f"{i:05}" for i in range(5_200)]


def test_no_query_gives_all_that_pass_in_order(store: Store) -> None:
    put(store, document("b", sentences("b", 2), kind="x"), document("a", kind="x"), document("c", kind="y"))
    hits = store.search(words(""), 10)
    assert ids(hits) == ["a", "b", "b", "c"]
    assert len({hit.score for hit in hits}) == 1
    assert ids(store.search(words(""), 10, [Filter("kind", "=", "x")])) == ["a", "b", "b"]


@pytest.fixture(scope="module", params=ENGINES)
def fruit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Yield an index of two documents that no test changes."""
    location = new_place(request.param, request, tmp_path_factory.mktemp("fruit"))
    with open_store(location, CONFIG) as store:
        put(store, document("a", "apples"), document("b", "pears"))
        yield store
    drop_index(location)


@pytest.mark.parametrize("query", [" ", "?!", "\x00", "🙃"])
def test_a_query_without_words_finds_nothing(fruit: Store, query: str) -> None:
    assert fruit.search(words(query), 10) == []


QUERY_MARKS = [
    "title: apples AND (", "title:foo AND (", "*", "apples*", "\\", '"apples', "apples~2", "/apples/", "[a TO z]",
    "_id:a", "apples^5 +pears -apples", "{apples}", "apples || !pears", "\x00apples\x1b[31m", "'; DROP",
    "terms:kind", "NOT apples", "<b>apples</b>", "a" * 40_000,
]  # fmt: skip


@pytest.mark.parametrize("query", QUERY_MARKS)
def test_the_query_is_data(fruit: Store, query: str) -> None:
    wanted = [name for name, word in (("a", "apples"), ("b", "pears")) if re.search(rf"\b{word}\b", query)]
    assert sorted(ids(fruit.search(words(query), 10))) == wanted


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_endless_query_is_cut(location: IndexLocation, language: str) -> None:
    many = [f"w{i}" for i in range(10_000)]
    endless = [" ".join(many), ",".join(many), "".join(chr(0x4E00 + i) for i in range(10_000)), "-" * 100_000]
    with open_store(location, IndexConfig(language, SIZE)) as store:
        put(store, document("a", "apples"), document("b", "pears"))
        assert [ids(store.search(words(f"apples {more}"), 10)) for more in endless] == [["a"]] * len(endless)


# What goes in comes out


UNUSUAL_IDS = [
    "a#1",
    "a",
    "a#1#2",
    "a/b",
    "a b",
    "名前",
    "🙂",
    "é",
    "e\u0301",
    "_id",
    "..",
    "%2F",
    '"',
    "\x00",
    "x" * 480,
    "日" * 160,
]


def test_ids_are_any_text(store: Store) -> None:
    put(store, *(document(name, sentences(f"w{i}", 2)) for i, name in enumerate(UNUSUAL_IDS)))
    assert sorted(old.doc_id for old in store.stored()) == sorted(UNUSUAL_IDS)
    assert [ids(store.search(words(f"w{i}"), 1)) for i in range(len(UNUSUAL_IDS))] == [[name] for name in UNUSUAL_IDS]
    assert [len(passages_of(store, name)) for name in UNUSUAL_IDS] == [2] * len(UNUSUAL_IDS)
    remove(store, "a#1", "é")
    assert sorted(old.doc_id for old in store.stored()) == sorted(set(UNUSUAL_IDS) - {"a#1", "é"})


METADATA: dict[str, Any] = {
    "text": "also a name", "title": 3, "nothing": None, "yes": True, "whole": 2**53 + 1, "part": -0.1,
    "huge": 1e300, "list": [1, "two", None, [3, [4]], {"five": 6}], "deep": {"er": {"est": ["x"]}, "empty": {}},
    "none": [], "": "no name", ".": 1, "a..b": 2, " ": 3, "名前": "値", "long": "x" * 40_000, "n" * 300: 1,
    "control": "\x00\x1f\x7f\u2028", "doc_id": "mine",
}  # fmt: skip


def test_metadata_comes_back_as_it_was(store: Store) -> None:
    put(store, Document("a", "", "apples", METADATA), document("b", "pears"))
    assert store.search(words("apples"), 1)[0].metadata == METADATA
    assert store.search(words("pears"), 1)[0].metadata == {}


TEXTS = [
    "bell \x07 and \x1b[31mred\x1b[0m", "null \x00 inside", "line\r\nbreaks\tand\vmore", "\ufeffmark",
    "zero\u200bwidth \u202eback", "😀 emoji 👩‍👩‍👧", "\U0010ffff end", "quote \" back \\ slash", '{"index": {}}',
]  # fmt: skip


def test_text_comes_back_as_it_was(store: Store) -> None:
    put(store, *(document(str(i), text, text) for i, text in enumerate(TEXTS)))
    assert [(hit.title, hit.text) for hit in store.search(words(""), 10)] == [(text, text) for text in TEXTS]


# Filters


FILMS = [
    document("heat", "apples", "Heat", year=1995, genre=["Crime", "Drama"], rating=8.3, seen="2020-05-01", good=True),
    document(
        "up", "apples", "Up", year=2009, genre="animation", rating=8, seen="2021-11-30", good=True, by={"name": "Pete"}
    ),
    document("alien", "pears", "Alien", year="1979", genre=["Horror"], rating=-1, by={"name": "Ridley", "born": 1937}),
    document(
        "room",
        "apples",
        "The Room",
        genre=[],
        rating=-0.5,
        seen="2020-12-24",
        good=False,
        by=[{"name": "Tommy"}, {"name": "T"}],
    ),
    document("éa", "apples", "ÉA", genre="ＤＲＡＭＡ", rating=1e-9, year=[1895, 2000], note="a=b>c", good="true"),
    document("none", "apples"),
    document("post1", "apples", post=1546130668394913822, v="3.10", zip="01234", code="1e3", name="trailing "),
    document("post2", "apples", post=1546130668394913823, v="3.1", zip="1234", code="1000", name="trailing"),
    document("post3", "apples", post=9007199254740993, v=3.1, zip="+1234", code="1_000", at="2024-03-05"),
    document("post4", "apples", post=9007199254740992, v="3.10.1", zip=1234, code=1000, at="2024-03-05T01:30:00+02:00"),
    document("post5", "apples", post=-(2**63), v="n/a", zip="nan", code="inf", at="2024-03-04T23:30:00Z"),
    document("post6", "apples", post=2**64 - 1, v="2024.1", at=["2023-12-31T23:59:59.999Z", "2025"]),
    document("odd", "apples", genre="", note="x" * 300, rating="8.30", seen="soon", by={"name": {"first": "Ana"}}),
]
EXPRESSIONS = [
    "genre=drama", "genre=DRAMA", "genre=dram", "genre!=drama", "genre=", "genre!=", "genre>=d", "genre<d",
    "year=1995", "year=1995.0", "year=1979", "year!=1979", "year>=1995", "year>1995", "year<=1995", "year<1995",
    "year<0", "rating>=8.3", "rating>8", "rating>=-0.5", "rating<0", "rating<=-1", "rating<-0.75", "rating=8.30",
    "rating=-0.5", "rating>0", "rating>=1e-9", "rating>1e-9", "rating<1e3", "seen>=2020-05-01", "seen>2020-05-01",
    "seen<2021-01-01", "seen<=2020-12-24", "seen=2020-05-01", "seen!=2020-05-01", "seen=soon", "good=true",
    "good=True", "good=false", "good!=true", "by.name=pete", "by.name=T", "by.name!=t", "by.born>1900",
    "by.name.first=ana", "by.name>r", "by=x", "title=heat", "title=éa", "title=éA", "title=ÉA", "title!=Up",
    "title>=t", "id=heat", "id!=heat", "id=HEAT", "id=éa", "note=a=b>c", "note=" + "x" * 300, "note=" + "x" * 299,
    "post=1546130668394913822", "post=9007199254740993", "post>9007199254740992", "post>=9007199254740992",
    "post<9007199254740993", "post=9007199254740993.0", "post=-9223372036854775808", "post>=18446744073709551615",
    "v=3.10", "v=3.1", "v>3.5", "v!=3.1", "v<3.10", "v>=2024", "v>=n", "zip=01234", "zip=1234", "zip=1234.0", "zip>=1",
    "zip=nan", "code=1e3", "code=1000", "code=1_000", "code=inf", "code!=1000", "name=trailing ", "name=trailing",
    "name= trailing", "name >= trailing", "at>=2024", "at<2024", "at>2024", "at<=2024", "at>=2024-03", "at<=2024-03-04",
    "at=2024-03-05", "at=2024-03-04T23:30Z", "at>2024-03-04", "at>=2024-03-04T23:30:00", "at<2024-03-05T00:30+01:00",
    "at!=2024-03-04T23:30:00.000Z", "at>=2025", "id>=post3", "id<b", "id>zz", "id<=heat",
    "note=*", "note=.*", "genre=?orror", "year=x", "rating=nothing", "title=The Room",
]  # fmt: skip


@pytest.fixture(scope="module", params=ENGINES)
def films(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Yield an index of a few films."""
    location = new_place(request.param, request, tmp_path_factory.mktemp("films"))
    with open_store(location, CONFIG) as store:
        put(store, *FILMS)
        yield store
    drop_index(location)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_filters_agree_with_python(films: Store, expression: str) -> None:
    condition = parse_filter(expression)
    wanted = sorted(film.id for film in FILMS if satisfies(film, condition))
    assert sorted(ids(films.search(words(""), 100, [condition]))) == wanted


def test_all_filters_must_hold(films: Store) -> None:
    conditions = [parse_filter(text) for text in ("year>1990", "year<2005", "good=true", "title!=Heat")]
    assert ids(films.search(words("apples"), 10, conditions)) == ["éa"]


def test_filters_do_not_change_scores(films: Store) -> None:
    scores = {hit.id: hit.score for hit in films.search(words("apples"), 100)}
    conditions = [parse_filter(text) for text in ("year>1", "id!=up", "good!=false")]
    for hit in films.search(words("apples"), 10, conditions):
        assert hit.score == pytest.approx(scores[hit.id])


@pytest.mark.parametrize("field", ["yaer", "Year", "year.x.y.", "*", "terms", "doc_id", "text", "\x1f"])
@pytest.mark.parametrize("operator", ["=", "!=", ">="])
def test_an_unknown_field_is_an_error_that_names_the_known(films: Store, field: str, operator: str) -> None:
    if field.startswith("year."):
        assert films.search(words(""), 10, [Filter(field, "=", "1")]) == []
        return
    with pytest.raises(RagcliError, match=re.escape(repr(field))) as error:
        films.search(words("apples"), 10, [Filter(field, operator, "1")])
    assert "at, by, code, genre, good, name, note, post, rating, seen, v, year, zip" in error.value.hint


def test_id_and_title_are_always_fields(store: Store) -> None:
    put(store, document("a"))
    assert store.search(words(""), 10, [Filter("title", "=", "x")]) == []
    with pytest.raises(RagcliError, match="'year'"):
        store.search(words(""), 10, [Filter("year", "=", "x")])


SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.sampled_from(
    ["10", "9", "-9.5", "1e3", "Ａ", "a", "B", "b ", "ß", "ss", "2020-01-01", "2020-1-1", "", "true", "x" * 300,
     "2020", "2020-02", "2020-01-01T02:00+02:00", "2019-12-31T23:59:59.5Z", "01", "+1", "9007199254740993"]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
)


BOUNDS = [
    *("10", "9", "-9.5", "1000", "a", "A", "b", "b ", "SS", "", "True", "0", "-1e10", "1", "1e400", "1_0"),
    *("9007199254740993", "2020-01-01", "2020", "2020-01", "2020-01-01T00:00:00Z", "2019-12-31T22:59:59.5-01:00"),
]
CONDITIONS = st.builds(
    Filter,
    st.sampled_from(["a", "b", "a.a", "a.b", "title"]),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    st.sampled_from(BOUNDS),
)


@given(st.dictionaries(st.sampled_from("ab"), VALUES, max_size=2), CONDITIONS)
def test_terms_agree_with_python(metadata: dict[str, Any], condition: Filter) -> None:
    terms = metadata_terms("Ab", metadata)
    found = any(wanted.holds(term) for wanted in ranges(condition) for term in terms)
    assert (found != (condition.operator == "!=")) is satisfies(Document("i", "Ab", "x", metadata), condition)


# Values and fields


def test_values_are_listed_in_order(films: Store) -> None:
    assert films.values("genre", "", 10) == ["", "animation", "crime", "drama", "horror"]
    assert films.values("genre", "", 2) == ["", "animation"]
    assert films.values("genre", "D", 10) == ["drama"]
    assert films.values("title", "the r", 10) == ["the room"]
    assert films.values("title", "É", 10) == ["éa"]
    assert films.values("by.name", "t", 10) == ["t", "tommy"]
    assert films.values("seen", "", 10) == ["2020-05-01", "2020-12-24", "2021-11-30", "soon"]
    assert films.values("none such", "", 10) == films.values("genre", ".*", 10) == films.values("year", "2", 10) == []


def test_values_with_marks_are_found_by_their_beginning(store: Store) -> None:
    names = ['a.b*c?"d', "x\\y", "[a-z]", "(a|b)", "#@&<>~", "a{1,2}", "^$", "new\nline", "日本 語", "m" * 200]
    put(store, *(document(name, kind=name) for name in [*names, "ab", "zzz"]))
    assert [store.values("kind", name[:3], 10) for name in names] == [[name] for name in names]
    assert [store.values("kind", name, 10) for name in names] == [[name] for name in names]


def test_values_go_with_their_documents(store: Store) -> None:
    put(store, document("a", kind="old"), document("b", kind="kept"))
    put(store, document("a", kind="new"))
    assert store.values("kind", "", 10) == ["kept", "new"]


def test_fields_are_listed(films: Store) -> None:
    known = ["at", "by", "code", "genre", "good", "name", "note", "post", "rating", "seen", "v", "year", "zip"]
    assert films.fields() == known


# Ranking, against the oracle


def test_light_words_break_ties_and_match_nothing(store: Store) -> None:
    put(
        store,
        document("a", "The parrot sleeps here."),
        document("b", "What is a parrot like?"),
        document("c", "What did you say?"),
    )
    assert [hit.id for hit in store.search(words("parrot"), 10)] == ["a", "b"]
    found = store.search(words("parrot", "what is"), 10)
    assert [hit.id for hit in found] == ["b", "a"]
    alone, whole = store.search(words("what is"), 10), store.search(words("parrot"), 10)
    scores = {hit.id: hit.score for hit in alone}, {hit.id: hit.score for hit in whole}
    assert found[0].score == pytest.approx(scores[1]["b"] + 0.3 * scores[0]["b"], rel=1e-5)


def test_each_text_has_its_weight(store: Store) -> None:
    documents = [
        document("a", "Apples and pears."),
        document("b", "Pears, pears and plums."),
        document("c", "Plums."),
        document("d", "Figs only."),
        document("e", "Cherries, apples, plums and dates."),
    ]
    put(store, *documents)
    oracle = Oracle(documents, SIZE)
    queries = [
        [QueryClause("apples", 2.5), QueryClause("plums", 0.5)],
        [QueryClause("apples", 0.5), QueryClause("plums", 2.5), QueryClause("dates pears", 1.5, required=False)],
        [QueryClause("apples apples plums")],
        [QueryClause("figs", 0.1, required=False), QueryClause("plums", 3)],
        [QueryClause("none such"), QueryClause("plums", 2, required=False)],
        [QueryClause("plums", 2, required=False)],
        [QueryClause("the"), QueryClause("plums")],
        [*(QueryClause(word, weight) for weight, word in enumerate(["apples", "pears", "plums", "figs", "dates"], 1))],
    ]
    for query in queries:
        right = oracle.search(query)
        hits = store.search(query, 10)
        assert [(hit.id, hit.start) for hit in hits] == [(found.id, found.start) for found in right], query
        assert [hit.score for hit in hits] == pytest.approx([found.score for found in right], rel=1e-5), query


# By content


def test_the_passages_of_a_document_come_in_their_order(store: Store) -> None:
    text = sentences("apples", 12)
    put(store, document("a", text, "Fruit", year=2010), document("b", sentences("apples", 3)), document("a#1"))
    hits = store.passages("a")
    assert [(hit.start, hit.text) for hit in hits] == [tuple(passage) for passage in split_passages(text, SIZE)]
    assert all(text[hit.start : hit.end] == hit.text for hit in hits)
    assert [hit.rank for hit in hits] == list(range(1, 13))
    assert {(hit.id, hit.title, hit.score, hit.metadata["year"]) for hit in hits} == {("a", "Fruit", 0.0, 2010)}
    assert len(store.passages("a#1")) == 1
    assert store.passages("none such") == store.passages("") == []
    put(store, document("a", "Short."))
    assert [hit.text for hit in store.passages("a")] == ["Short."]


def test_a_document_of_very_many_passages_is_whole(store: Store) -> None:
    text = sentences("apples", 5_200)
    put(store, document("a", text))
    assert [hit.start for hit in store.passages("a")] == [passage.start for passage in split_passages(text, SIZE)]


def test_words_are_counted_by_passages(store: Store) -> None:
    put(
        store,
        document("a", "Apples, apples. " + sentences("pears", 3), "The apple"),
        document("b", "An apple and a cherry.", "Apples"),
        document("c", "Cherries.", "Plums"),
    )
    asked = ["apples", "apple", "pears", "cherry", "plums", "the", "none", "", "?", "APPLES", "a" * 40_000]
    assert store.frequencies(asked) == [5, 5, 3, 2, 1, 4, 0, 0, 0, 5, 0]
    assert store.frequencies([]) == []
    remove(store, "b")
    put(store, document("c", "Cherries and apples.", "Plums"))
    assert store.counts() == Counts(2, 5)


def test_cjk_words_are_counted_by_their_rarest_bigram(location: IndexLocation) -> None:
    with open_store(location, IndexConfig("zh", SIZE)) as store:
        put(
            store,
            document("a", "列表推导式"),
            document("b", "推导公式"),
            document("c", "列表的式"),
            document("d", "误导式"),
        )
        assert store.frequencies(["推导", "列表", "推导式", "列表推导", "式", "python"]) == [2, 2, 2, 1, 4, 0]


def test_thousands_of_words_are_counted_at_once(store: Store) -> None:
    put(store, document("a", "w7 w1234"), document("b", "w1234"))
    counts = store.frequencies([f"w{i}" for i in range(3_000)])
    assert {i: count for i, count in enumerate(counts) if count} == {7: 1, 1234: 2}


def test_words_spelled_nearly_alike_are_found(store: Store) -> None:
    put(
        store,
        document("a", "Functions and comprehensions.", "Keyboards"),
        document("b", "A function, a fiction, an unction.", "List"),
        document("c", "Lists are listed; the lisp and the gist.", "List"),
    )
    near = {
        "functoin": ["function", "functions"],
        "lsit": ["list"],
        "compreensions": ["comprehensions"],
        "kyboards": ["keyboards"],
        "lisd": ["lisp", "list"],
    }
    assert store.near_words(list(near)) == list(near.values())
    assert store.near_words(["the", "zebra", "junction", "a-b", "", "推导"]) == [[]] * 6
    assert store.near_words([]) == []


def read_samples(language: str) -> list[Document]:
    """Read the sample passages of a language."""
    lines = (SAMPLES / {"en": "python.jsonl", "zh": "python_zh.jsonl"}[language]).read_bytes().splitlines()
    records = [orjson.loads(line) for line in lines]
    return [Document(r.pop("id"), r.pop("title", ""), r.pop("text"), r) for r in records]


def make_questions(documents: Sequence[Document], language: str, count: int) -> list[str]:
    """Make questions of words that stand together in some passage, the same ones each time."""
    choose = random.Random(len(documents))
    pattern = re.compile(r"(?<![^\s(])[A-Za-z]{3,}(?=[\s,;.!?)])" if language == "en" else "[\u4e00-\u9fff]{2,6}")
    texts = [text for document in documents for _, text in split_passages(document.text, 400)]
    found = [sorted(set(pattern.findall(choose.choice(texts)))) for _ in range(2 * count)]
    return [" ".join(choose.sample(some, min(len(some), choose.randint(2, 6)))) for some in found if len(some) > 2][
        :count
    ]


def is_top(hits: Sequence[Hit], right: Sequence[Found]) -> bool:
    """Tell whether the first hit is one of the oracle's best, which may be equal."""
    best = {(found.id, found.start) for found in right if found.score > right[0].score - 1e-6}
    return (hits[0].id, hits[0].start) in best if hits else not right


@pytest.mark.parametrize(("language", "count"), [("en", 200), ("zh", 60)])
def test_the_best_passage_is_the_oracles(
    language: str, count: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    documents = read_samples(language)
    questions = make_questions(documents, language, count)
    oracle = Oracle(documents, 400, language)
    light = "what does how many" if language == "en" else ""
    right = [oracle.search(words(question, light)) for question in questions]
    first: dict[str, list[list[tuple[str, int]]]] = {}
    for engine in ENGINES:
        location = new_place(engine, request, tmp_path)
        with open_store(location, IndexConfig(language, 400)) as store:
            store.write(map(partial(update, size=400), documents))
            answers = [store.search(words(question, light), 1) for question in questions]
        drop_index(location)
        first[engine] = [[(hit.id, hit.start) for hit in hits] for hits in answers]
        agreement = sum(map(is_top, answers, right)) / len(questions)
        assert len(questions) == count
        assert agreement >= 0.95
    same = sum(a == b for a, b in zip(*first.values(), strict=True)) / len(questions)
    assert same >= 0.95
