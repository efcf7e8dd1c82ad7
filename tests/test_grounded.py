"""Answers made of the sources' own sentences: where they stand, how sure they are, and what may be copied."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ragcli.answer.attribution import Judge, attribute, without_marks
from ragcli.answer.blocks import find_candidates as find_blocks_to_answer
from ragcli.answer.candidates import find_candidates
from ragcli.answer.compose import choose_places, compose
from ragcli.answer.confidence import confidence_features
from ragcli.answer.copying import Copying
from ragcli.answer.extractive import extract
from ragcli.answer.features import Matrix
from ragcli.answer.judge import READ, Models, judge, softmax
from ragcli.answer.review import compose_review
from ragcli.answer.schema import CitedSentence, Extract, Length
from ragcli.answer.sentiment import polarity
from ragcli.answer.summary import summarize
from ragcli.answer.terms import bag_of, terms, weigh, words_by_term
from ragcli.answer.titled import read_question, title_match
from ragcli.decoder.sampling import Sampling
from ragcli.evaluate.answer_measures import citations
from ragcli.generate import Options, complete, open_language_model
from ragcli.models import ModelFolder
from ragcli.reader import Reading
from ragcli.store import Counts, Hit, IndexConfig
from tests.support import ROOT

OWLS = "Owls hunt at night. Their eyes are fixed in their sockets. An owl can turn its head by 270 degrees!"
MICE = "Mice are eaten by owls. Owls hunt at night. A mouse lives for two years."


def hit(text: str, rank: int = 1, score: float = 1.0, start: int = 0, title: str = "") -> Hit:
    return Hit(rank, f"d{rank}", title, text, score, start, start + len(text), {})


class Shelf(NamedTuple):
    """Know how often words occur in some passages: what an answer asks a store for."""

    texts: Sequence[str]
    config: IndexConfig

    def frequencies(self, words: Sequence[str]) -> list[int]:
        bags = [bag_of(text, self.config.language) for text in self.texts]
        return [sum(all(t in bag for t in terms(word, self.config.language)) for bag in bags) for word in words]

    def counts(self) -> Counts:
        return Counts(len(self.texts), len(self.texts))

    def vectors(self, keys: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        return {}


class Letters:
    """Make a text's vector of how often it has each letter."""

    def queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        counts = np.array([[1.0 + text.lower().count(chr(97 + i)) for i in range(26)] for text in texts])
        return np.asarray(counts / np.linalg.norm(counts, axis=1, keepdims=True), dtype=np.float32)

    passages = queries


def shelf(*texts: str, language: str = "en") -> Shelf:
    return Shelf(texts, IndexConfig(language, 1200))


def ask(question: str, *texts: str, language: str = "en", **options: object) -> Extract:
    hits = [hit(text, n, 10 - n) for n, text in enumerate(texts, 1)]
    return extract(question, hits, shelf(*texts, language=language), **options)  # type: ignore[arg-type]


texts = st.lists(
    st.text(st.sampled_from("ab owl 10.?!\n。是猫狗“”)(A\x1b[3]"), min_size=1, max_size=80), min_size=1, max_size=4
)


def assert_stands(sentences: Sequence[CitedSentence], hits: Sequence[Hit]) -> None:
    """Each sentence is its source's text at its offsets, and none comes twice."""
    for sentence in sentences:
        assert sentence.source is not None
        source = hits[sentence.source - 1]
        assert source.text[sentence.start - source.start : sentence.end - source.start] == sentence.text
        assert 0 <= sentence.support <= 1
    assert len({(s.source, s.start) for s in sentences}) == len(sentences)


@given(texts, st.sampled_from(["How far can an owl turn?", "猫是什么？", "?", ""]), st.sampled_from(["en", "zh"]))
def test_every_sentence_stands_in_its_source(found: list[str], question: str, language: str) -> None:
    hits = [hit(text, n, 5.0 - n, start=7 * n) for n, text in enumerate(found, 1)]
    grounded = extract(question, hits, shelf(*found, language=language), min_confidence=0, length="long")  # type: ignore[arg-type]
    assert_stands(grounded.sentences, hits)
    assert_stands(summarize(hits, 3, language, question), hits)
    assert_stands(compose_review(hits, 3, language), hits)
    assert 0 <= grounded.confidence <= 1
    folded = [" ".join(s.text.casefold().split()) for s in grounded.sentences]
    assert len(set(folded)) == len(folded)


def test_the_answer_is_the_sentence_that_answers() -> None:
    grounded = ask("By how many degrees can an owl turn its head?", OWLS, MICE, min_confidence=0, length="short")
    start = OWLS.index("An owl")
    assert [(s.source, s.start, s.end) for s in grounded.sentences] == [(1, start, len(OWLS))]
    assert grounded.text == "An owl can turn its head by 270 degrees! [1]"


def test_a_sentence_of_two_passages_is_a_candidate_once() -> None:
    found = find_candidates([hit(OWLS), hit(MICE, 2), hit("OWLS  hunt at\nnight.", 3)])
    assert [c.text for c in found].count("Owls hunt at night.") == 1
    assert len(found) == 5


@pytest.mark.parametrize(
    "line",
    [
        "What do owls hunt?",
        "Owls hunt:",
        "Owls at night",
        "hunt(owl, night=True)",
        ">>> owl hunts by night",
        "猫是什么？",
    ],
)
def test_what_says_nothing_is_a_candidate_only_where_there_is_nothing_else(line: str) -> None:
    assert [c.text for c in find_candidates([hit(f"{line}\nOwls hunt mice.")])] == ["Owls hunt mice."]
    assert [c.text for c in find_candidates([hit(line)])] == [line]


@pytest.mark.parametrize(
    "line", ["Height 182 cm", "- eaten by owls at night", "Are they? They are.", "| owls | eat | mice |"]
)
def test_a_line_without_a_mark_may_say_something(line: str) -> None:
    assert line.split("? ")[-1] in [c.text for c in find_candidates([hit(f"{line}\nOwls hunt mice.")])]


def test_a_summary_is_made_of_whole_sentences_where_there_are_enough() -> None:
    hits = [hit("- mice and owls and trees\nOwls live in trees.\nMice live under trees.")]
    assert [s.text for s in summarize(hits, 2, "en")] == ["Owls live in trees.", "Mice live under trees."]
    assert len(summarize(hits, 3, "en")) == 3


@pytest.mark.parametrize(
    ("question", "title", "asked"),
    [
        ("What is an owl?", "Glossary: What is an owl? What is an eagle?", True),
        ("owl", "Glossary: What is an owl?", True),
        ("define owl", "Owl", True),
        ("is it safe", "FAQ › Is it safe?", True),
        ("What is the GIL?", "What is the global interpreter lock (GIL)?", True),
        ("What is the GIL?", "What is the global interpreter lock?", True),
        ("what does hashable mean?", "Glossary: What does hashable mean?", True),
        ("how do i copy a file", "FAQ - How do I copy files?", True),
        ("why do i copy a file", "FAQ - How do I copy files?", False),
        ("What is an owl of the night?", "Glossary: What is an owl?", False),
        ("What is an owl?", "Why do owls hunt by night?", False),
        ("What is an owl?", "Glossary › Owl", True),
        ("What is an owl?", "Glossary › Owl › Barn owl", False),
        ("?", "?", False),
    ],
)
def test_a_title_asks_a_question_with_any_separator(question: str, title: str, asked: bool) -> None:
    assert (title_match(read_question(question, "en"), title, "en") >= 0.75) == asked


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("什么是装饰器？", "Python 术语：什么是装饰器（decorator）？"),
        ("decorator是什么", "术语：什么是装饰器（decorator）？"),
        ("GIL是什么", "Python 术语：什么是全局解释器锁（global interpreter lock）？"),
    ],
)
def test_a_chinese_title_asks_a_question(question: str, title: str) -> None:
    assert title_match(read_question(question, "zh"), title, "zh") == 1


def test_what_a_title_asks_is_answered_by_how_its_document_begins() -> None:
    text = f"A bird of the night.\n\n{'Owls and owls and owl. ' * 20}"
    hits = [hit(MICE, title="Mice"), hit(text, 2, title="Glossary: What is an owl?")]
    found = extract("What is an owl?", hits, shelf(MICE, text), min_confidence=0)  # type: ignore[arg-type]
    assert_stands(found.sentences, hits)
    assert found.sentences[0].text.startswith("A bird of the night.")


def test_an_example_is_no_answer_to_why() -> None:
    example = (
        "Users are often surprised by results like this, which look wrong at first sight:\n\n>>> 1.2 - 1.0\n0.19999"
    )
    reason = "The float type uses a binary fraction, since the processor computes with these and with nothing else."
    for code in (f"{example}\n\n{reason}", f"{example}\n>>> 2.3 - 2.0\n0.29999\n\n{reason}"):
        found = [hit(code, title="Why are floats inaccurate?"), hit(MICE, 2)]
        chosen = extract("why are floats inaccurate", found, shelf(code, MICE), min_confidence=0)  # type: ignore[arg-type]
        assert chosen.sentences[0].text == reason


def test_a_title_that_asks_the_question_makes_sure() -> None:
    text = "A bird of the night."
    titled, other = (
        extract("What is an owl?", [hit(text, title=title)], shelf(text))  # type: ignore[arg-type]
        for title in ("What is an owl?", "Notes")
    )
    assert not titled.abstained and titled.confidence >= 0.8 > other.confidence


def test_code_alone_does_not_say_what_something_is_for() -> None:
    told = "A module finds out its own name by looking at a variable, which is set when the program starts to run."
    text = f"{told}\n\nif name == 'main':\n    purpose(name, main)\n    print(name, main)\n    raise SystemExit(main)"
    chosen = extract("What is the purpose of name main?", [hit(text)], shelf(text), min_confidence=0)  # type: ignore[arg-type]
    assert chosen.sentences[0].text.startswith(told)


def test_what_only_points_elsewhere_is_no_answer() -> None:
    pointing, telling = "See the worker settings reference for more.", "The worker types are sync, thread and gevent."
    judged = judge("worker types", [hit(pointing), hit(telling, 2)], shelf(pointing, telling))  # type: ignore[arg-type]
    assert judged.features.of("points").tolist() == [1, 0]


def test_an_encoder_is_asked() -> None:
    hits = [hit(OWLS), hit(MICE, 2, 0.5)]
    judged = judge("owl", hits, shelf(OWLS, MICE), Models(Letters()))  # type: ignore[arg-type]
    assert judged.features.of("cosine").min() > 0
    assert judged.features.of("cosine_best")[0] == judged.features.of("cosine")[0]


def test_an_encoder_reads_the_best_blocks_by_words_only() -> None:
    many = (
        "\n\n".join(f"Fact {n} is dull, {'and so it goes on ' * 10}" for n in range(30)) + "\n\nAn owl turns its head."
    )
    judged = judge("How does an owl turn its head?", [hit(many)], shelf(many), Models(Letters()))  # type: ignore[arg-type]
    assert len(judged.candidates) == len(judged.features.values) == READ
    assert judged.candidates[-1].text.endswith("An owl turns its head.")


class Finger:
    """Point at the word "owl", and score a block by how often it has it."""

    def read(self, question: str, blocks: Sequence[tuple[str, str]]) -> list[Reading]:
        found = [(text.lower().count("owl"), max(0, text.lower().find("owl"))) for _, text in blocks]
        return [Reading(float(count), at, at + 3, 1.0) for count, at in found]


def test_a_reader_scores_blocks_and_tells_the_words_that_decide() -> None:
    hits = [hit(MICE), hit(OWLS, 2)]
    judged = judge("Which bird?", hits, shelf(MICE, OWLS), Models(reader=Finger()))  # type: ignore[arg-type]
    assert judged.features.of("reader").tolist() == [2, 2]
    assert judged.spans == [(MICE.index("owl"), MICE.index("owl") + 3), (0, 3)]
    assert judged.features.of("reader_share").sum() < 1
    found = extract("Which bird?", hits, shelf(MICE, OWLS), Models(reader=Finger()), min_confidence=0)  # type: ignore[arg-type]
    assert all(one.span and one.start <= one.span.start < one.span.end <= one.end for one in found.sentences)


def test_a_block_brings_along_what_it_leans_on_and_what_it_leads_to() -> None:
    wide = "The oldest birds hunt by day and by night, in the fields and in the woods, and they rest in the trees."
    quaint = "Also, their quaint feathers make no noise when flying, so that no prey can hear what comes near."
    text = f"{wide}\n\n{quaint}\n\n{wide}"
    found = extract("quaint feathers noise", [hit(text)], shelf(text), min_confidence=0)  # type: ignore[arg-type]
    assert found.sentences[0].text.startswith("The oldest birds")


def test_the_best_block_is_shown_with_its_neighbour_unless_it_is_certain() -> None:
    rule = "The oldest birds hunt by day and by night, in the fields and in the woods around them."
    limit = "Where there is snow on the ground, none of them leaves the trees for more than an hour."
    hits, store = [hit(f"{rule}\n\n{limit}")], shelf(rule)
    judged = judge("do the oldest birds hunt by night", hits, store)  # type: ignore[arg-type]
    for share, shown in ((0.96, f"{rule}\n\n{limit}"), (0.99, rule)):
        shares = np.array([share, 1 - share], dtype=np.float32)
        [piece] = compose(judged, shares, hits, "en", "normal")
        assert hits[0].text[piece.start : piece.end] == shown


def test_what_is_announced_at_the_end_of_a_passage_is_shown_with_it() -> None:
    announces = "There are several ways to set an environment variable:"
    judged = judge(
        "how do I set an environment variable",
        [
            hit(announces, 1, 10, title="Environment › Setting"),
            hit("An environment has variables and an owner.", 2, 9, title="Terms"),
            hit(
                "Write export NAME=value, which lasts as long as the shell runs.",
                3,
                8,
                title="Environment › Setting › Once",
            ),
        ],
        shelf(announces),  # type: ignore[arg-type]
    )
    assert choose_places(judged, np.array([0.98, 0.015, 0.005], dtype=np.float32)) == [0, 2]


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("```python\nimport owls\n\nowls.count(\n    night=True,\n)\n```\n\nMore about it.", "\n\nMore about it."),
        ("@owls.count(\n    night=True,\n    day=False\n)\ndef hunt():\n    return 270", ""),
    ],
)
def test_code_is_shown_to_its_end(text: str, rest: str) -> None:
    found = hit(text)
    judged = judge("owls count night", [found], shelf(text))  # type: ignore[arg-type]
    cut = judged._replace(candidates=[judged.candidates[0]._replace(text=text[:40], start=0, end=40, of=1)]).only([0])
    (piece,) = compose(cut, np.ones(1, dtype=np.float32), [found], "en", "normal")
    assert text[piece.end :] == rest


@pytest.mark.parametrize(("question", "shown"), [("how do I install Owl", "1."), ("how do I change the colour", "2.")])
def test_instructions_begin_with_their_first_step(question: str, shown: str) -> None:
    """Unless a later one is what is asked for."""
    first = f"1. Download the archive of your system. {'It is large, so that this takes a while. ' * 6}"
    later = f"2. Change the colour of the feathers. {'Each feather has one of its own. ' * 6}"
    found = hit(f"{first}\n{later}", title="Install Owl")
    judged = judge(question, [found], shelf(found.text))  # type: ignore[arg-type]
    assert [one.text[:2] for one in judged.candidates] == ["1.", "2."]
    places = choose_places(judged, np.array([0.3, 0.7], dtype=np.float32))
    assert judged.candidates[places[0]].text.startswith(shown)


def test_what_is_typed_at_a_prompt_is_shown_with_what_was_typed_before() -> None:
    told = f"It is good practice to open the nest with care. {'The advantage is that it is closed again. ' * 6}"
    typed = f">>> with open('nest') as f:\n...     owls = f.read()\n\n>>> f.closed  # {'closed ' * 8}\nTrue"
    found = hit(f"{told}:\n\n{typed}")
    judged = judge("is the nest closed", [found], shelf(found.text))  # type: ignore[arg-type]
    assert judged.candidates[-1].text.startswith(">>> f.closed")
    (piece,) = compose(judged.only([len(judged.candidates) - 1]), np.ones(1, dtype=np.float32), [found], "en", "normal")
    assert (piece.start, piece.end) == (0, len(found.text))


def test_code_is_shown_from_its_beginning() -> None:
    code = "```\ndef count(owls):\n" + "    night = next_night(owls)\n" * 8 + "    return night\n```"
    found = hit(f"Owls are counted by night.\n\n{code}")
    judged = judge("owls count night", [found], shelf(found.text))  # type: ignore[arg-type]
    start, end = found.text.index("    return"), len(found.text)
    cut = judged.candidates[0]._replace(text=found.text[start:end], start=start, end=end, place=1, of=2)
    (piece,) = compose(
        judged._replace(candidates=[cut]).only([0]), np.ones(1, dtype=np.float32), [found], "en", "normal"
    )
    assert found.text[piece.start : piece.end] == code


@pytest.mark.parametrize(
    ("second", "leans"),
    [
        ("It is often expected that a mouse is safe. This is not what happens.", False),
        ("It is often found under roofs, where nobody goes to look for an owl.", True),
    ],
)
def test_it_is_expected_that_refers_to_nothing(second: str, leans: bool) -> None:
    found = hit(f"The barn owl is a bird of the night, and is known for its silent flight.\n\n{second}")
    judged = judge("why is a mouse not safe", [found], shelf(found.text))  # type: ignore[arg-type]
    (piece,) = compose(judged, np.array([0.01, 0.99], dtype=np.float32), [found], "en", "normal")
    assert (piece.start == 0) == leans


def test_a_block_that_only_points_elsewhere_is_never_enough() -> None:
    pointer, way = (
        "See the cookbook of owls for a long discussion of this.",
        "Owls are removed by hand, one by one, at noon.",
    )
    hits = [hit(f"{pointer}\n\n{'An owl. ' * 60}"), hit(way, 2)]
    judged = judge("how are owls removed", hits, shelf(pointer, way))  # type: ignore[arg-type]
    shares = np.full(len(judged.candidates), 0.0, dtype=np.float32)
    shares[0], shares[-1] = 0.94, 0.06
    assert [judged.candidates[place].text for place in choose_places(judged, shares)] == [pointer, way]


def test_a_second_block_does_not_refer_to_what_is_not_shown() -> None:
    """The passage begins with "They": what they are stood before it."""
    first = "The oldest birds hunt by day and by night, in the fields and in the woods, and they rest in the trees."
    other = "They make no noise with their quaint feathers, so that no prey of the oldest birds can hear them come."
    hits, store = [hit(first), hit(other, 2, start=500)], shelf(first, other)
    found = extract("where do the oldest birds hunt", hits, store, min_confidence=0)  # type: ignore[arg-type]
    assert found.text == f"{first} [1]"


@pytest.mark.parametrize(
    ("start", "end", "begin"),
    [("lock", "it", "tool.lock is"), ("1.", " The", "1. The file"), ("The", "is", "The file")],
)
def test_the_deciding_words_begin_with_a_word_and_are_no_number(start: str, end: str, begin: str) -> None:
    class Reads:
        def read(self, question: str, blocks: Sequence[tuple[str, str]]) -> list[Reading]:
            return [Reading(1.0, text.find(start), text.find(end), 1.0) for _, text in blocks]

    text = "1. The file tool.lock is written here by the tool, and it is never changed by hand."
    found = extract("file", [hit(text)], shelf(text), Models(reader=Reads()), min_confidence=0)  # type: ignore[arg-type]
    [one] = found.sentences
    assert one.span and one.text[one.span.start : one.span.end].startswith(begin)


@pytest.mark.parametrize("length", ["short", "normal"])
def test_no_answer_ends_inside_a_sentence(length: Length) -> None:
    text = "The owl " + "turns and turns its quaint head " * 20 + "all night. It sleeps by day."
    store: Any = shelf(text)
    found = extract("quaint head", [hit(text)], store, min_confidence=0, length=length)
    assert all(one.text.endswith(".") for one in found.sentences)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("how to back up my files", "Making backups takes a minute."),
        ("how to set up a proxy", "The setup of the proxy."),
        ("I have logged in twice", "Each login is counted, also twice."),
    ],
)
def test_a_verb_with_a_particle_is_its_noun(question: str, text: str) -> None:
    asked = set(words_by_term(question, "en"))
    assert asked & {"backup", "setup", "login"} & set(terms(text, "en"))
    assert terms("set in stone", "en") == ["set", "stone"]


def test_where_nothing_is_certain_the_nearest_block_is_told() -> None:
    hits, store = [hit(OWLS), hit(MICE, 2)], shelf(OWLS, MICE)
    found = extract("How long does a mouse live?", hits, store, min_confidence=1)  # type: ignore[arg-type]
    assert found.abstained and found.sentences == ()
    assert found.nearest and found.nearest.text in (OWLS, MICE)


@pytest.mark.parametrize(
    ("question", "near"),
    [
        ("What is the capital of Australia?", False),
        ("When did Napoleon die?", False),
        ("What is a bee?", False),
        ("Which line begins with a letter?", True),
    ],
)
def test_what_shares_little_with_the_question_is_no_help(question: str, near: bool) -> None:
    line = "The first line should begin with a capital letter and end with a full stop."
    found = extract(question, [hit(line)], shelf(line), min_confidence=1)  # type: ignore[arg-type]
    assert found.abstained and (found.nearest is not None) == near


def test_a_text_with_the_title_that_is_asked_about_helps() -> None:
    texts = hit("It recorded an opera.", title="The Who"), hit("It is about clowns.", 2, title="It")
    found = extract("Who were The Who?", texts, shelf(*(one.text for one in texts)), min_confidence=1)  # type: ignore[arg-type]
    assert found.nearest and found.nearest.source == 1


@pytest.mark.parametrize(("cosine", "near"), [(0.2, False), (0.4, True)])
def test_with_an_encoder_the_meaning_says_what_helps(cosine: float, near: bool) -> None:
    """A word alone is not enough: `file my taxes` is not about files."""

    class Encoder:
        def queries(self, texts: Sequence[str]) -> Matrix:
            return np.array([[1.0, 0.0]] * len(texts), dtype=np.float32)

        def passages(self, texts: Sequence[str]) -> Matrix:
            return np.array([[cosine, (1 - cosine**2) ** 0.5]] * len(texts), dtype=np.float32)

    text = "The old files are on the shelf."
    question = "when do I have to file my taxes"
    found = extract(question, [hit(text)], shelf(text), Models(Encoder()), min_confidence=1)  # type: ignore[arg-type]
    assert (found.nearest is not None) == near


def test_features_compare_words_as_they_are_written_names_numbers_and_what_is_spelt_alike() -> None:
    texts = "The inventor of it, Ada, was 36.", "Of the owls nothing is said."
    hits = [hit(text, n) for n, text in enumerate(texts, 1)]
    judged = judge("Which invention of Ada has the number 36?", hits, shelf(*texts))  # type: ignore[arg-type]
    features = judged.features
    words = {"which", "invention", "of", "ada", "has", "the", "number", "36"}
    assert features.of("words").tolist() == pytest.approx([4 / len(words), 2 / len(words)])  # the, of, Ada, 36; of, the
    assert features.of("pairs").tolist() == [0, 0]
    assert features.of("coverage_names").tolist() == features.of("coverage_numbers").tolist() == [1, 0]
    assert features.of("coverage_alike")[0] > 0 == features.of("coverage_alike")[1]


def test_below_the_confidence_there_is_no_answer() -> None:
    sure = ask("By how many degrees can an owl turn its head?", OWLS, MICE, min_confidence=0)
    unsure = ask("Which treaty ended the Thirty Years' War?", OWLS, MICE)
    assert unsure.abstained and unsure.sentences == () and unsure.confidence < sure.confidence
    assert ask("owl", OWLS, min_confidence=1.01).abstained
    assert ask("owl", " ", min_confidence=0) == Extract((), 0.0, True)


@pytest.mark.parametrize("factor", [0.01, 100.0])
def test_confidence_does_not_depend_on_the_scale_of_scores(factor: float) -> None:
    def confidence(times: float) -> float:
        hits = [hit(text, n, times * (9.5 - n)) for n, text in enumerate((OWLS, MICE), 1)]
        return extract("Do owls eat mice?", hits, shelf(OWLS, MICE)).confidence  # type: ignore[arg-type]

    assert confidence(factor) == pytest.approx(confidence(1.0), abs=1e-5)


def test_one_block_is_enough_where_it_is_likely() -> None:
    judged = judge("owl", [hit("An owl flies."), hit("A mouse runs.", 2)], shelf("An owl flies."))  # type: ignore[arg-type]
    assert choose_places(judged, np.array([0.95, 0.05], dtype=np.float32)) == [0]
    assert choose_places(judged, np.array([0.25, 0.75], dtype=np.float32)) == [1, 0]
    assert choose_places(judged, np.array([0.25, 0.75], dtype=np.float32), "short") == [1]


def test_a_second_block_adds_what_the_first_lacks() -> None:
    texts = "An owl flies by night.", "By night flies an owl!", "An owl has fixed eyes."
    judged = judge("owl", [hit(text, n) for n, text in enumerate(texts, 1)], shelf(*texts))  # type: ignore[arg-type]
    assert choose_places(judged, np.array([0.5, 0.3, 0.2], dtype=np.float32)) == [0, 2]


def test_a_question_adds_nothing_to_an_answer() -> None:
    texts = "An owl flies by night.", "My owl sleeps all night. Now what?", "An owl has fixed eyes."
    judged = judge("owl", [hit(text, n) for n, text in enumerate(texts, 1)], shelf(*texts))  # type: ignore[arg-type]
    assert choose_places(judged, np.array([0.5, 0.3, 0.2], dtype=np.float32)) == [0, 2]


def test_the_file_names_features_that_there_are() -> None:
    for language, models in (("en", Models()), ("en", Models(Letters(), Finger())), ("zh", Models())):
        judged = judge("owl", [hit(OWLS)], shelf(OWLS, language=language), models)  # type: ignore[arg-type]
        numbers = models.fitted(language)
        assert set(numbers.ranking.weights) <= set(judged.features.names)
        found = confidence_features(judged, numbers.ranking.scores(judged.features))
        assert set(numbers.confidence.weights) <= set(found)


def test_terms_are_stems_or_bigrams() -> None:
    assert terms("The owls' hunting of 3 mice", "en") == ["owl", "hunt", "3", "mice"]
    assert list(words_by_term("什么是列表推导？", "zh")) == ["是列", "列表", "表推", "推导"]
    assert list(words_by_term("what is it", "en")) == ["what", "is", "it"]


def test_rare_terms_weigh_more() -> None:
    weights = weigh({"owl": "owls", "night": "night"}, [1, 3], 4)
    assert weights.idf == (np.log1p(3.5 / 1.5), np.log1p(1.5 / 3.5))
    assert weights.share(frozenset(["owl"])) == pytest.approx(weights.idf[0] / sum(weights.idf))
    assert softmax(np.array([0.0, 0.0], dtype=np.float32)).tolist() == [0.5, 0.5]


def attributed(text: str, *hits: Hit, judge: Judge | None = None) -> tuple[CitedSentence, ...]:
    store: Any = shelf(*[hit.text for hit in hits] or "x")
    return attribute(without_marks(text, len(hits)), hits, store, judge)


def test_attribution_finds_the_source_or_says_that_there_is_none() -> None:
    text = "The head of an owl can turn 270 degrees. The capital of France is Paris."
    turned, paris = attributed(text, hit(OWLS, start=100), hit(MICE, 2))
    assert (turned.source, turned.start - 100, turned.end - 100) == (1, OWLS.index("An owl"), len(OWLS))
    assert turned.text == "The head of an owl can turn 270 degrees." and turned.support > 0.9
    assert (paris.source, paris.start, paris.end, paris.verdict) == (None, 0, 0, "unsupported")
    assert attributed("Owls.") == (CitedSentence("Owls.", None, 0, 0, 0.0, verdict="unsupported"),)


@pytest.mark.parametrize(
    ("mark", "source", "verdict"), [("", 1, "supported"), (" [1]", 1, "supported"), (" [2]", 1, "miscited")]
)
def test_what_a_sentence_cites_is_compared_with_what_supports_it(mark: str, source: int, verdict: str) -> None:
    for text in (f"An owl can turn its head 270 degrees{mark}.", f"An owl can turn its head 270 degrees.{mark}"):
        [found] = attributed(text, hit(OWLS), hit(MICE, 2))
        assert (found.text, found.source, found.verdict) == ("An owl can turn its head 270 degrees.", source, verdict)
        assert found.cited == tuple(int(n) for n in mark.strip(" []"))


def test_sources_that_are_cited_together_may_support_a_sentence_together() -> None:
    text = "An owl can turn its head by 270 degrees and a mouse lives for 24 months"
    for cited, supporting in (("[1]", ()), ("[1, 2]", (1, 2)), ("[1, 2, 3]", (1, 2))):
        [found] = attributed(
            f"{text} {cited}.", hit(OWLS), hit("A mouse lives for 24 months.", 2), hit("Cats sleep.", 3)
        )
        assert found.supporting == supporting, cited
        assert (found.source is None) == (not supporting)
    measured = citations([found])
    assert (measured["citation_recall"], measured["citation_precision"]) == (1.0, 2 / 3)


def test_a_mark_before_a_sentence_is_its_own_and_a_bullet_is_no_sentence() -> None:
    found = attributed(f"The points:\n* [2] \n{MICE}\n* [1] \n{OWLS}\n*", hit(OWLS), hit(MICE, 2))
    cited = [(one.cited, one.verdict) for one in found[1:] if one.cited]
    assert cited == [((2,), "supported"), ((1,), "supported")] and found[-1].text != "*"


def test_a_sentence_with_another_number_is_not_supported() -> None:
    [found] = attributed("An owl can turn its head 180 degrees [1].", hit(OWLS))
    assert (found.source, found.cited, found.verdict) == (None, (1,), "unsupported")


@pytest.mark.parametrize(
    ("name", "verdict"),
    [("Ada", "supported"), ("Ada's friend", "supported"), ("Zoe", "unsupported"), ("Ada Zoe", "unsupported")],
)
def test_a_sentence_with_another_name_is_not_supported(name: str, verdict: str) -> None:
    source = "The owl whose head turned by 270 degrees belonged to Ada, a friend of owls."
    [found] = attributed(f"The owl whose head turned by 270 degrees belonged to {name}.", hit(source))
    assert found.verdict == verdict


def test_the_words_that_answer_must_stand_in_the_source() -> None:
    class WolvesAnswer:
        def read(self, _: str, blocks: Sequence[tuple[str, str]]) -> list[Reading]:
            return [Reading(0.0, text.index("wolves"), len(text) - 1, 1.0) for _, text in blocks]

    text, hits = "An owl can turn its head by 270 degrees for wolves.", (hit(OWLS), hit(MICE, 2))
    assert attributed(text, *hits)[0].verdict == "supported"
    assert attributed(text, *hits, judge=Judge("For whom?", WolvesAnswer()))[0].verdict == "unsupported"


@pytest.mark.parametrize(
    ("text", "plain", "marks"),
    [
        ("A [1]. B [2, 1]", "A. B", [(1, 1), (4, 2), (4, 1)]),
        ("A[1]. Then a[0] and a[1] = 2", "A. Then a[0] and a[1] = 2", [(1, 1)]),
        ("See [7] and `x[1]`.", "See [7] and `x[1]`.", []),
        ("[1] \nOwls hunt. \n[2] \nMice run.", "Owls hunt. \nMice run.", [(1, 1), (13, 2)]),
        ("Points:\n* [2] \nMice run.\n1. [1] Owls hunt.", "Points:\n* Mice run.\n1. Owls hunt.", [(11, 2), (24, 1)]),
        ("Owls hunt.\n[1]\n\nMice run. [2]", "Owls hunt.\n\nMice run.", [(10, 1), (21, 2)]),
    ],
)
def test_numbers_of_sources_are_taken_out_of_a_text_and_others_are_not(
    text: str, plain: str, marks: list[tuple[int, int]]
) -> None:
    assert without_marks(text, 2) == (plain, tuple(marks))


# What may be copied


def characters(text: str) -> list[int]:
    return [ord(character) for character in text]


@given(st.lists(st.text("ab c猫。", min_size=1, max_size=12), min_size=1, max_size=3), st.data())
def test_whatever_is_copied_stands_in_a_source(found: list[str], data: st.DataObject) -> None:
    hits = [hit(text, n, start=3) for n, text in enumerate(found, 1)]
    copying, tokens = Copying(hits, characters, [0], shortest=2), list[int]()
    while len(tokens) < 12:
        allowed = copying.allowed(tokens)
        assert allowed == Copying(hits, characters, [0], shortest=2).allowed(tokens)
        token = data.draw(st.sampled_from(allowed))
        if token == 0:
            break
        tokens.append(token)
    pieces = copying.pieces(tokens)
    assert_stands(pieces, hits)
    copied = "".join(chr(token) for token in tokens)
    assert "".join("".join(piece.text.split()) for piece in pieces) == "".join(copied.split()) or len(tokens) == 12


def test_a_piece_has_the_shortest_length_and_no_word_comes_twice() -> None:
    copying = Copying([hit("one two three four five")], characters, [0], shortest=3)
    assert copying.allowed([]) == [ord(" ")]
    assert Copying([], characters, [0]).allowed([]) == [0]
    assert copying.allowed(characters(" two three")) == [ord(" ")]
    assert 0 in copying.allowed(characters(" two three four"))
    done = characters(" two three four five")
    assert copying.allowed(done) == [0]
    assert [piece.text for piece in copying.pieces(done)] == ["two three four five"]


def test_a_piece_does_not_run_into_what_was_copied() -> None:
    copying = Copying([hit("one two three four five")], characters, [0], shortest=2)
    tokens = characters(" three four five one two")
    assert [piece.text for piece in copying.pieces(tokens)] == ["three four five", "one two"]
    assert copying.allowed(tokens) == [0]


def test_a_piece_is_of_the_source_that_has_it_whole() -> None:
    copying = Copying([hit("a aa"), hit("a a", 2)], characters, [0], shortest=2)
    assert [(piece.text, piece.source) for piece in copying.pieces(characters(" a a"))] == [("a a", 2)]


def test_a_model_writes_only_what_stands_in_the_sources() -> None:
    engine = open_language_model(ModelFolder("small", ROOT / "ragcli" / "small_gpt2"), "float32")
    hits = [hit(OWLS), hit(MICE, 2)]
    for seed in range(3):
        copying = Copying(hits, engine.encode, engine.end_ids)
        written: list[int] = []

        def allowed(tokens: Sequence[int], copying: Copying = copying, written: list[int] = written) -> list[int]:
            written[:] = tokens
            return copying.allowed(tokens)

        options = Options(20, Sampling(), seed)
        completion = complete(engine, "Question: Who eats mice?\nAnswer:", options, allowed=allowed)[0]
        pieces = copying.pieces(written)
        assert_stands(pieces, hits)
        assert pieces and " ".join(piece.text for piece in pieces)[:20] == completion.text.strip()[:20]


# Reviews and summaries


def test_a_negation_turns_a_word_round() -> None:
    assert polarity("not good") < 0 < polarity("good")
    assert polarity("不好看") < 0 < polarity("很好看")
    assert polarity("It was shown on Monday") == 0


def test_a_summary_says_nothing_twice_and_is_about_the_query() -> None:
    text = "Owls hunt mice at night. At night owls hunt mice. Owls sleep in old trees by day. Bread is made of flour."
    hits = [hit(text)]
    assert [s.text for s in summarize(hits, 2, "en")] == ["Owls hunt mice at night.", "Owls sleep in old trees by day."]
    assert summarize(hits, 1, "en", "flour bread")[0].text == "Bread is made of flour."
    assert summarize([], 2, "en") == ()


def test_a_summary_of_a_query_has_only_what_is_about_it_and_no_commands() -> None:
    text = (
        "Owls hunt mice at night.\n\n$ owl --hunt 'mice?'\n\nRun `make owls && make mice`.\n\nOwls sleep by day.\n\n"
        "Bread is made of flour and of water."
    )
    chosen = [one.text for one in summarize([hit(text)], 5, "en", "owls")]
    assert chosen == ["Owls hunt mice at night.", "Owls sleep by day."]


def test_a_summary_has_no_code_tables_headings_and_fragments() -> None:
    text = (
        "# Owls hunt mice at night.\n\nOwls hunt mice at night in the old trees of the park.\n\n"
        "```\nowls = hunt(mice)  # Owls hunt mice here.\nOwls hunt mice.\n```\n\n"
        "| owl | mice |\n|---|---|\n| Owls hunt. | Mice run. |\n\nthe owls and mice.\n\nMany owls, many mice.\n\n"
        "Mice leave the trees before the owls wake up."
    )
    assert [one.text for one in summarize([hit(text)], 2, "en")] == [
        "Owls hunt mice at night in the old trees of the park.",
        "Mice leave the trees before the owls wake up.",
    ]


def test_no_sentence_of_a_summary_leans_on_one_that_is_left_out() -> None:
    text = (
        "The lighthouse guides ships around the tip. Its lamp was lit in 1858 by the keeper of the tower and his sons. "
        "But the light of the lighthouse was replaced by a lamp. Visitors climb the tower of the lighthouse in summer. "
        "However, the keeper of the lighthouse left the tower long ago. The tower of the lighthouse is white."
    )
    chosen = [one.text for one in summarize([hit(text)], 3, "en")]
    assert len(chosen) == 3 and not any(one.startswith(("But", "However")) for one in chosen)
    assert "Its lamp" not in " ".join(chosen[:1])
    assert [one.text for one in summarize([hit("But it rained. However, it was warm.")], 2, "en")] == [
        "But it rained.",
        "However, it was warm.",
    ]


def test_an_answer_does_not_begin_with_what_only_ends_the_passage_before() -> None:
    text = "''\n\nFor reading lines from a file, you can loop over the file object. This is memory efficient and fast."
    [candidate] = find_blocks_to_answer([hit(text)], "en")
    assert candidate.text == text[4:] and (candidate.start, candidate.end) == (4, len(text))
