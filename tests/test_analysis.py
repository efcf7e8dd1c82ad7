"""Sentence boundaries, bigrams, and what a query matches."""

import re
import unicodedata
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragcli.analysis.analyzer import analyzer
from ragcli.analysis.normal import normalized
from ragcli.analysis.sentences import sentence_spans
from ragcli.analysis.spelling import edit_distance, nearest_words
from ragcli.analysis.words import cjk_bigrams, split_words


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Pi is 3.14 or so. It goes on.", ["Pi is 3.14 or so.", "It goes on."]),
        ("Dr. Smith met J. K. Rowling. They talked.", ["Dr. Smith met J. K. Rowling.", "They talked."]),
        ("Use a loop, e.g. a for loop. Then stop.", ["Use a loop, e.g. a for loop.", "Then stop."]),
        ("The U.S. Senate met. It voted.", ["The U.S. Senate met.", "It voted."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("函数返回值。它很短！真的？", ["函数返回值。", "它很短！", "真的？"]),
        ("他说：“走吧。”然后走了。", ["他说：“走吧。”", "然后走了。"]),
        ("A heading\n\nA paragraph that\ngoes on here.", ["A heading", "A paragraph that\ngoes on here."]),
        ("x = 1\nPrint it", ["x = 1", "Print it"]),
        ("An owl,\nOtus by name,\nsleeps.", ["An owl,\nOtus by name,\nsleeps."]),
        ("一只猫，\n两只狗、\n三只鸟。", ["一只猫，\n两只狗、\n三只鸟。"]),
        ("For example:\nx = 1", ["For example:", "x = 1"]),
        ("A list,\n\nA paragraph", ["A list,", "A paragraph"]),
        ("Wait... what? Yes.", ["Wait... what?", "Yes."]),
        ("no end at all", ["no end at all"]),
        (
            "The leader of the crew was\nKnud Holmberg. He slept.",
            ["The leader of the crew was\nKnud Holmberg.", "He slept."],
        ),
        ("He met. The mayor thanked\nAnna Berg.", ["He met.", "The mayor thanked\nAnna Berg."]),
        ("The bridge was opened in\n1893 by the king.", ["The bridge was opened in\n1893 by the king."]),
        ("Dr. med. Anna Roth leads it. It is big.", ["Dr. med. Anna Roth leads it.", "It is big."]),
        ("See No. 5 for more. No. The end.", ["See No. 5 for more.", "No.", "The end."]),
        ("Yan et al. [2004] saw it. They left.", ["Yan et al. [2004] saw it.", "They left."]),
        ("Not vitamin B. It is lost.", ["Not vitamin B.", "It is lost."]),
        ("Sales rose. eBay sold most.", ["Sales rose.", "eBay sold most."]),
        ("The mill grinds rye.The cat sleeps.", ["The mill grinds rye.", "The cat sleeps."]),
        ("दिल्ली राजधानी है। मुंबई है।", ["दिल्ली राजधानी है।", "मुंबई है।"]),
        ("1. Buy milk. 2. Feed the cat.", ["1. Buy milk.", "2. Feed the cat."]),
        ("1) Buy milk 2) Feed the cat", ["1) Buy milk", "2) Feed the cat"]),
        ("a. Buy milk b. Feed the cat c. Sleep", ["a. Buy milk", "b. Feed the cat", "c. Sleep"]),
        ("A. Smith met B. Jones.", ["A. Smith met B. Jones."]),
        ("Well . . . what now? Go . . . . Then stop.", ["Well . . . what now?", "Go . . . .", "Then stop."]),
        ('He said "it is so." (Berg 12). Then he left.', ['He said "it is so." (Berg 12).', "Then he left."]),
        ("It was you and I. Did she see it?", ["It was you and I.", "Did she see it?"]),
        ("Er kommt am 12. Juni. Obst, z. B. Äpfel, isst er.", ["Er kommt am 12. Juni.", "Obst, z. B. Äpfel, isst er."]),
        ("Im 1. bis 3. Jahrhundert. „So.“ Und so.", ["Im 1. bis 3. Jahrhundert.", "„So.“", "Und so."]),
        ("La Sra. Ruiz vive aquí. El núm. 7 es suyo.", ["La Sra. Ruiz vive aquí.", "El núm. 7 es suyo."]),
        ("L'Avv. Rossi parla. È tardi.", ["L'Avv. Rossi parla.", "È tardi."]),
        ("Живёт в г. Омске. Л. Н. Попов, ул. Мира.", ["Живёт в г. Омске.", "Л. Н. Попов, ул. Мира."]),
        ("Он ушёл в 1898 г. Потом вернулся.", ["Он ушёл в 1898 г.", "Потом вернулся."]),
        ("Πού είναι; Εδώ είναι.", ["Πού είναι;", "Εδώ είναι."]),
        ("《摔跤吧！爸爸》好吗？好！", ["《摔跤吧！爸爸》好吗？", "好！"]),
        ("« C’est la fin. » Il part.", ["« C’est la fin. »", "Il part."]),
        ("  \n ", []),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == sentences


@pytest.mark.parametrize("mark", [".", "\n", "?!", "(", " \n", ".'", "A."])
def test_long_runs_of_marks_take_no_longer_than_text(mark: str) -> None:
    """Quadratic time would be minutes here."""
    text = f"Contents {mark * 200_000}page"
    assert text.endswith("page") and len(list(sentence_spans(text))) <= 200_001


@given(st.text(alphabet=st.sampled_from("aB1 .!?\n\t\"'()。！”函 e.g"), max_size=200))
def test_sentences_hold_every_character_but_white_space_once(text: str) -> None:
    spans = list(sentence_spans(text))
    kept = "".join(text[start:end] for start, end in spans)
    assert "".join(kept.split()) == "".join(text.split())
    assert all(start < end for start, end in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)


def test_bigrams_stand_between_blanks_and_the_rest_stays() -> None:
    assert cjk_bigrams("列表推导式").split() == ["列表", "表推", "推导", "导式"]
    assert cjk_bigrams("Python列表and字").split() == ["Python", "列表", "and", "字"]
    assert cjk_bigrams("Ｐｙｔｈｏｎ　３") == unicodedata.normalize("NFKC", "Ｐｙｔｈｏｎ　３")
    assert cjk_bigrams("plain ASCII stays.") == "plain ASCII stays."


@given(st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=20))
def test_a_run_of_n_characters_has_n_minus_one_bigrams(run: str) -> None:
    assert len(cjk_bigrams(run).split()) == max(1, len(run) - 1)


@pytest.mark.parametrize(
    ("query", "text", "language", "matched"),
    [
        ("functions", "A function is fun.", "en", ["function"]),
        ("wi-fi café", "The WiFi of the (Cafe)s, wi-fi.", "en", ["WiFi", "Cafe", "wi-fi"]),
        ("information", "Infor\u00admation: infor\u200bmation", "en", ["Infor\u00admation", "infor\u200bmation"]),
        ("join", "os.path.join joins", "en", ["join", "joins"]),
        ("the functions", "the Functions", "en", ["Functions"]),
        ("functions", "A function", "zh", []),
        ("列表推导", "用列表推导式", "zh", ["列表", "表推", "推导"]),
        ("C++ [bold]", "bold C++ or C", "en", ["bold", "C++"]),
        ("die Häuser der Stadt", "Das Haus in der Stadt", "de", ["Haus", "Stadt"]),
        ("les fonctions", "la fonction et les valeurs", "fr", ["fonction"]),
        ("библиотеки", "В библиотеке книги", "ru", ["библиотеке"]),
        ("列表推导 functions", "a function, 列表推导", "en", ["function", "列表", "表推", "推导"]),
        ("", "text", "en", []),
    ],
)
def test_matches_are_found_by_stem_and_by_bigram(query: str, text: str, language: str, matched: list[str]) -> None:
    assert [text[start:end] for start, end in analyzer(language).match_spans(query, text)] == matched


@pytest.mark.parametrize(
    ("query", "about", "light"),
    [
        ("How do I define a function?", "define function?", "How do I a"),
        ("What's a lambda", "lambda", "What's a"),
        ("don't repeat yourself", "repeat", "don't yourself"),
        ("Don Quixote", "Don Quixote", ""),
        ("What is WHO?", "WHO?", "What is"),  # spelled in capitals it is a name
        ("WHAT IS IT", "WHAT IS IT", ""),  # nothing else is left
        ("the who", "the who", ""),
        ("C++ vs. C", "C++ vs. C", ""),
        ("什么是 lambda", "什么是 lambda", ""),
        ("", "", ""),
    ],
)
def test_a_query_is_split_into_what_it_is_about_and_function_words(query: str, about: str, light: str) -> None:
    found = split_words(query)
    assert (" ".join(found[0].split()), found[1]) == (about, light)


def test_words_of_a_text_are_its_words_and_bigrams() -> None:
    assert list(analyzer("zh").words("The Lists of 列表推导 and ＡＢＣ")) == ["lists", "列表", "表推", "推导", "abc"]


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("list", "list", 0),
        ("lsit", "list", 1),
        ("lit", "list", 1),
        ("list", "lists", 1),
        ("lust", "list", 1),
        ("ab", "ba", 1),
        ("lsti", "list", 2),
        ("funcitons", "function", 2),
        ("", "ab", 2),
        ("list", "tuple", 3),
        ("a", "abcdef", 3),
    ],
)
def test_edit_distance_counts_slips_of_the_pen_up_to_a_bound(one: str, other: str, distance: int) -> None:
    assert edit_distance(one, other, 2) == edit_distance(other, one, 2) == distance


def slips(word: str) -> set[str]:
    """Return what one slip makes of a word, by trying them all."""
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    dropped = {a + b[1:] for a, b in cuts if b}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    return dropped | swapped | {a + c + rest for a, b in cuts for c in "abc" for rest in (b, b[1:])}


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_words_one_slip_apart_are_those_of_brute_force(one: str, other: str) -> None:
    assert (edit_distance(one, other, 1) <= 1) == (one == other or other in slips(one))


def test_the_nearest_words_come_first_then_the_frequent() -> None:
    known = {"function": 5, "functor": 9, "junction": 9, "functions": 3, "unction": 9, "fun": 9}
    assert nearest_words("functin", known) == ["function"]
    assert nearest_words("functoin", known) == ["function", "functor", "functions"]
    assert nearest_words("lsit", {"list": 1, "slit": 9, "lit": 7, "sit": 9, "lots": 9}) == ["lit", "list"]
    assert nearest_words("zebra", known) == []


@pytest.mark.parametrize("language", ["en", "de", "fr", "tr", "zh", "ja"])
def test_index_terms_are_those_of_each_token(language: str) -> None:
    text = "(IT) Unit's C# café, 用Python写程序·テスト。กขค Ｆｕｌｌ…It 3.11 maxRetry .\\bin\\a-b.exe ÎLE II x_y 한국어"
    for words in (text, text.replace(" ", "\n"), text.swapcase()):
        found = analyzer(language)
        slow = [x for token in found.tokens(words) for word in (token.whole, *token.parts) for x in found._terms(word)]
        assert Counter(found.indexed(words).terms.split()) == Counter(slow)
        singles = re.findall(r"[\u3040-\u30ff\u4e00-\u9fff가-힣]", normalized(words))
        assert found.indexed(words).singles.split() == singles


@pytest.mark.parametrize(
    "text", ["Ｆｕｌｌ，　…", "ﬁn ² ½", "ﾊﾞｽ e\u0301…", "\u2019\u00b4 ﬀ\u0301", "10⁻³ ŉ", "‐x\u00ad\ny"]
)
def test_the_normal_form_is_nfkc(text: str) -> None:
    marks = str.maketrans("‐‑–−’´ʼ⁄", "----'''/")
    whole = unicodedata.normalize("NFKC", text.translate(marks).replace("\u00ad\n", "")).translate(marks)
    assert normalized(text) == whole


def test_a_path_from_here_has_its_adjacent_parts_joined() -> None:
    (token,) = analyzer("en").tokens(r".\tools\bin\python.exe")
    assert token.parts == ("tools", "bin", "python", "exe", "toolsbin", "binpython", "pythonexe")


def test_stems_compare_texts() -> None:
    assert analyzer("en").stems("Running lists") == analyzer("en").stems("a list runs") == {"run", "list"}
    assert analyzer("de").stems("Häuser") == analyzer("de").stems("Haus")
    assert analyzer("zh").stems("Lists") == {"lists"}
