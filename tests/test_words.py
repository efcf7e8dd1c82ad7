"""What people type finds what they mean, first and alone on top, in both stores: names with marks, numbers, accents."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest

from ragcli.analysis.normal import legible, normalized
from ragcli.answer.answerer import AskOptions
from ragcli.answer.pipeline import ask_all
from ragcli.answer.schema import Answer
from ragcli.documents import Document
from ragcli.generate import Options
from ragcli.search import Searcher, search
from ragcli.search.query import exact_share, weighted_words
from ragcli.store import IndexConfig, IndexLocation, open_store
from tests.support import Run, write_lines
from tests.test_store_contract import location, update  # noqa: F401 (a fixture)

CODES = [
    "Invoice INV-2017-003 was paid.",
    "Invoice INV-2030-017 was paid.",
    "The file C:\\Users\\anna\\notes is new.",
    "The file C:\\anna\\Users\\notes is new.",
    "The train leaves at 12:05 by law.",
    "The train leaves at 05:12 by law.",
    "Release 3.11 mends the page.",
    "Release 11.3 mends the page.",
]
CODE_NAMES = [
    "Call max_retry_count once.",
    "Call maxRetryCount once.",
    "XMLHttpRequest loads a page.",
    "http.client.HTTPConnection opens a line.",
    "__getitem__ is called by brackets.",
]
MARKS = [
    "AT&T was split up.",
    "The T was split up.",
    "The AT was split up.",
    "C# is a language.",
    "C++ is a language.",
    "C is a language.",
    "The net is long.",
    "The .NET is long.",
]
OPTIONS = [
    "The 2nd Amendment amends: amend it.",
    "Run git commit --amend to reword.",
    "Run git commit -a, not -am.",
    "Item 0054, 0054.",
    "RFQ-0054 is kept for years by all.",
]
OPERATORS = ["Use `:=` to assign inside.", "Use `//` to divide.", "It is not equal: x != y.", "Use the rest."]
FUNCTION_WORDS = [
    "The Who recorded an opera.",
    "WHO fights an illness.",
    "An OR gate gives one.",
    "An AND gate gives one.",
    "Vitamin A is in the root.",
    "Vitamin B is in the root.",
    "To be, or not to be, that is it.",
]
SIGHT = ["The o\ufb03ce shut.", "The infor\u00adma\u00ad\ntion desk.", "A de-\nvelopment.", "Wi\u2011Fi is here."]
MEASURES = ["A 3.5 GHz clock.", "A 2.5GHz clock.", "World War II ended.", "World War I ended.", "A web site opened."]
MEASURES += [
    "The 3rd symphony.",
    "The 4th symphony.",
    "R&D costs.",
    "The costs.",
    "A 4x4 car.",
    "A car.",
]
CHINESE = [
    "iPhone15发布了。",
    "iPhone16发布了。",
    "用Python写程序很容易。",
    "用Java写程序很难。",
    "國家的經濟發展很快。",
    "她的头发很长。",
]
FRENCH = ["Les élèves préparent une fête dans l’école.", "Il a créée une réforme."]
GERMAN = ["Herr Müller liest Bücher.", "Größere Mädchen sind fröhlich."]


@pytest.mark.parametrize(
    ("language", "texts", "query", "found"),
    [
        *(("en", CODES, query, 0) for query in ("INV-2017-003", "inv 2017 003", "INV2017003")),
        *(("en", CODES, query, 2) for query in ("C:\\Users\\anna\\notes", "Users\\anna")),
        *(("en", CODES, query, n) for query, n in (("12:05", 4), ("05:12", 5), ("3.11", 6), ("release 11.3", 7))),
        *(("en", CODE_NAMES, query, 0) for query in ("max_retry_count", "max-retry-count")),
        *(("en", CODE_NAMES, query, n) for query, n in (("maxRetryCount", 1), ("http request", 2), ("getitem", 4))),
        *(("en", CODE_NAMES, query, 3) for query in ("HTTPConnection", "http connection", "http.client")),
        *(("en", MARKS, query, 0) for query in ("AT&T", "When was AT&T split up?")),
        *(("en", MARKS, query, n) for query, n in (("C#", 3), ("C++", 4), ("What is C?", 5), (".NET", 7))),
        *(("en", OPTIONS, query, 1) for query in ("--amend", "What does --amend do?")),
        *(("en", OPTIONS, query, n) for query, n in (("-a", 2), ("-0054", 4))),
        *(("en", OPERATORS, query, n) for n, query in enumerate(("What is the := operator?", "//", "!="))),
        *(("en", FUNCTION_WORDS, query, 0) for query in ("The Who", "Who were The Who?")),
        *(("en", FUNCTION_WORDS, query, n) for query, n in (("WHO", 1), ("OR gate", 2), ("vitamin A", 4))),
        *(("en", FUNCTION_WORDS, query, 6) for query in ("to be or not to be", "not")),
        *(("en", SIGHT, query, n) for n, query in enumerate(("office", "information", "development", "wi fi"))),
        *(
            ("en", MEASURES, query, n)
            for query, n in (("3.5GHz", 0), ("2.5 GHz", 1), ("World War 2", 2), ("war ii", 2))
        ),
        *(("en", MEASURES, query, n) for query, n in (("World War 1", 3), ("website", 4), ("websites", 4))),
        *(("en", MEASURES, query, n) for query, n in (("third symphony", 5), ("R and D", 7), ("4 x 4 car", 9))),
        *(("zh", CHINESE, query, n) for query, n in (("iphone 15", 0), ("用Python写", 2), ("用Java 写程序", 3))),
        *(("zh", CHINESE, query, n) for query, n in (("国家的经济发展", 4), ("頭髮", 5), ("头发", 5))),
        *(("fr", FRENCH, query, 0) for query in ("prepare", "eleves", "preparent", "Où est l'école ?", "ecole")),
        *(("fr", FRENCH, query, 1) for query in ("cree", "reforme", "reforne")),
        *(("de", GERMAN, query, 0) for query in ("Mueller", "Muller", "Buch", "buecher")),
        *(("de", GERMAN, query, 1) for query in ("groessere", "grossere", "Maedchen", "froehlich")),
    ],
)
def test_what_is_typed_finds_what_is_meant(
    location: IndexLocation,  # noqa: F811
    language: str,
    texts: Sequence[str],
    query: str,
    found: int,
) -> None:
    with open_store(location, IndexConfig(language, 1200)) as store:
        store.write(update(Document(f"d{n}", "", text, {})) for n, text in enumerate(texts))
        hits = search(store, query)
    assert hits[0].id == f"d{found}"
    assert len(hits) == 1 or hits[0].score > hits[1].score


FILMS = {
    **{"Us": "A family faces strangers.", "Them": "It is about us, all of us; let us go, us.", "It": "A clown haunts."},
    **{"It Follows": "It follows her, it does.", "Her": "A voice.", "Love": "Her and her: what her love is to her."},
    **{
        "Up": "An old man.",
        "Step Up": "Up, up, up.",
        "The Who": "A band.",
        "Rocky": "A boxer.",
        "Rocky II": "Rocky wins.",
    },
    **{"2001": "A ship in 2010.", "2010": "A ship."},
}


@pytest.mark.parametrize("title", FILMS)
def test_a_document_whose_title_is_the_query_is_first(location: IndexLocation, title: str) -> None:  # noqa: F811
    with open_store(location, IndexConfig("en", 1200)) as store:
        store.write(update(Document(f"{len(FILMS) - n:02}", name, FILMS[name], {})) for n, name in enumerate(FILMS))
        for query in (title, title.lower()):
            hits = search(store, query, 3)
            assert hits[0].title == title and hits[0].rank == 1
            assert len(hits) == 1 or hits[0].score > hits[1].score
            assert [hit.title for hit in search(store, query, 1)] == [title]


@pytest.mark.parametrize(("query", "title"), [("Rocky 3", "Rocky III"), ("rocky iii", "Rocky III"), ("r and b", "R&B")])
def test_a_title_may_be_written_another_way(location: IndexLocation, query: str, title: str) -> None:  # noqa: F811
    titles = ("Rocky", "Rocky II", "Rocky III", "Toy Story 3", "R&B", "Up")
    with open_store(location, IndexConfig("en", 1200)) as store:
        store.write(update(Document(name, name, "A film.", {})) for name in titles)
        assert search(store, query)[0].id == title


def test_a_title_is_not_a_name_in_capitals(location: IndexLocation) -> None:  # noqa: F811
    with open_store(location, IndexConfig("en", 1200)) as store:
        store.write(
            update(Document(title, title, text, {})) for title, text in (("It", "A clown."), ("Staff", "Our IT."))
        )
        assert [search(store, query)[0].id for query in ("IT", "it")] == ["Staff", "It"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("recieving packages", ["no passage has 'recieving': searching for 'receive'"]),
        ("colours of birds", ["no passage has 'colours': searching for 'color'"]),
        ("baked bread", ["no passage has 'bread': did you mean 'break'?"]),
        ("a website", ["no passage has 'website': searching for 'web site'"]),
        ("of Website", ["no passage has 'Website': did you mean 'web site'?"]),
        *((query, []) for query in ("therapist", "whaling", "sitopened")),
    ],
)
def test_endings_and_words_written_apart_are_corrected(
    location: IndexLocation,  # noqa: F811
    query: str,
    said: Sequence[str],
) -> None:
    texts = [
        "Receive the packages. Break the color of birds, baked.",
        "Open a web site. The rapist sat. A site.",
        "He opened while a whole web sat.",
    ]
    notes: list[str] = []
    with open_store(location, IndexConfig("en", 1200)) as store:
        store.write(update(Document(f"d{n}", "", text, {})) for n, text in enumerate(texts))
        Searcher(store, note=notes.append).search(query)
    assert notes == said


def test_a_question_in_one_chinese_script_is_answered_from_the_other(ragcli: Run, tmp_path: Path) -> None:
    cat, other = {"id": "a", "text": "貓在書桌上睡覺。"}, {"id": "b", "text": "國家的經濟發展很快。"}
    assert ragcli("index", write_lines(tmp_path / "d.jsonl", cat, other), "--no-encoder").code == 0
    assert "貓在書桌上睡覺。" in ragcli("ask", "猫在哪里睡觉？").out


def test_a_misspelled_question_is_answered_as_it_is_meant(location: IndexLocation) -> None:  # noqa: F811
    texts = ("A decorator is a function that returns another function.", "A list holds items.")
    questions = ("What is a decorator?", "What is a decoratr?", "What is a decorator?")
    with open_store(location, IndexConfig("en", 1200)) as store:
        store.write(update(Document(f"d{n}", "", text, {})) for n, text in enumerate(texts))
        answers = ask_all(Searcher(store), lambda: pytest.fail(), questions, AskOptions(Options(), style="grounded"))
    told = {(answer.answer, answer.confidence) for answer in answers if isinstance(answer, Answer)}
    assert len(told) == 1 and texts[0] in told.pop()[0]


def test_a_query_may_begin_with_a_hyphen(ragcli: Run, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "d.jsonl", {"id": "a", "text": "RFQ-0054 is kept."}, {"id": "b", "text": "None."})
    assert ragcli("index", path).code == 0
    done = ragcli("search", "-0054", "--format", "json", "--mode", "keyword")
    assert done.code == 0 and '"id":"a"' in done.out
    wrong = ragcli("search", "x", "--indx", "y")
    assert wrong.code == 2 and "No such option: --indx" in wrong.err


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("The o\ufb03ce is\ufeff here", "The office is here"),
        ("infor\u00ad\nmation", "information"),
        ("Ｆｕｌｌ", "Full"),
        ("It’s “so” – café", "It’s “so” – café"),
    ],
)
def test_encoders_are_given_what_a_reader_sees(text: str, seen: str) -> None:
    assert legible(text) == seen


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("plain 1 043 500 text", "plain 1043500 text"),
        ("don\u2019t \u2013 don\u00b4t", "don't - don't"),
        ("cafe\u0301 \u2011 ½", "café - 1/2"),
        ("10\u207b\u00b3", "10-3"),
        ("c\u0327a", "ça"),
        ("كِتَاب", "كتاب"),
        ("\u1112\u1161\u11ab", "한"),
    ],
)
def test_what_looks_the_same_has_one_normal_form(text: str, normal: str) -> None:
    assert normalized(text) == normal


@pytest.mark.parametrize("query", ["café bar", "naïve Wi-Fi", "où est le café", "für Über-x2 Größe"])
def test_a_query_means_the_same_in_either_form_of_unicode(query: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, query) for form in ("NFC", "NFD"))
    assert composed != decomposed
    for language in ("fr", "de"):
        assert weighted_words(composed, language) == weighted_words(decomposed, language)
        assert exact_share(composed, language) == exact_share(decomposed, language)


@pytest.mark.parametrize("query", ["Größere Müdchen", "Bücher von Müllerr", "fröhlich"])
def test_the_spelling_is_corrected_in_either_form_of_unicode(location: IndexLocation, query: str) -> None:  # noqa: F811
    composed, decomposed = (unicodedata.normalize(form, query) for form in ("NFC", "NFD"))
    notes: list[str] = []
    with open_store(location, IndexConfig("de", 1200)) as store:
        store.write(update(Document(f"d{n}", "", text, {})) for n, text in enumerate(GERMAN))
        searcher = Searcher(store, note=notes.append)
        assert searcher.search(composed) == searcher.search(decomposed) != []
    assert notes[: len(notes) // 2] == notes[len(notes) // 2 :]
