"""A review composed of real ones: what is chosen, in which order, and what never is."""

import json
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pytest
from numpy.typing import NDArray

from ragcli.answer.clauses import is_whole
from ragcli.answer.review import compose_review, opinion
from ragcli.answer.roles import examples, roles
from ragcli.answer.schema import sources_of
from ragcli.answer.sentiment import polarity
from ragcli.answer.standalone import stands_alone
from ragcli.encoder import open_encoder
from ragcli.store import Hit
from tests.support import ROOT, Run

REVIEWS = (
    "Harbour is a wonderful film that holds the attention from its first minute to its last. It also has a boat.",
    "The story of two sisters who inherit a shipyard is told with great patience. But then they quarrel. I wept.",
    "Anna Berg gives a superb performance as the older sister, proud and frightened at once. He is good too.",
    "The photography makes a grey town beautiful, and the score never says too much. Where did my brother go?",
    "The plot drags badly in the middle, and the subplot about the bank is dull. A film that could be shorter.",
    "Harbour is worth seeing twice, and the best film about work in years. [Full review in Danish]",
)


def film(*texts: str, **metadata: object) -> list[Hit]:
    return [Hit(n, f"r{n}", "Harbour (2020)", text, 1.0, 0, len(text), metadata) for n, text in enumerate(texts, 1)]


def composed(*texts: str, sentences: int = 6, language: str = "en") -> list[str]:
    return [one.text for one in compose_review(film(*texts), sentences, language)]


def test_how_the_story_ends_is_not_told() -> None:
    told = "In the end the older sister dies alone on a boat, which the film shows with great and quiet tenderness."
    plain = "The two sisters argue all day about a boat, which the film shows with great and quiet tenderness."
    assert told not in composed(*REVIEWS, told, plain)


def test_the_opinions_of_reviews_are_counted_where_all_of_them_tell() -> None:
    reviews = sources_of(
        [
            one._replace(id=f"r{n}", metadata={"sentiment": kind})
            for n, (one, kind) in enumerate(
                zip(film(*"abcd"), ("positive", "positive", "Mixed", "negative"), strict=True)
            )
        ]
    )
    assert opinion(reviews) == "Of 4 reviews, 2 praise the film and 1 finds fault with it."
    assert opinion((*reviews[:2], reviews[0])) == "Of 2 reviews, 2 praise the film and none finds fault with it."
    assert opinion(reviews[2:]) == "Of 2 reviews, none praises the film and 1 finds fault with it."
    assert opinion(reviews[:1]) == opinion([*reviews, *sources_of(film("x"))]) == opinion([]) == ""
    assert opinion([one._replace(metadata={"sentiment": "mixed"}) for one in reviews]) == ""


def test_a_chinese_review_has_no_sentences_in_another_language() -> None:
    texts = ("Remember the way of living on the edge.", "评分「7.0」是一部好看的电影。", "这部电影画面精彩，故事动人。")
    assert composed(*texts, language="zh") == [texts[2]]


def test_the_opinions_stand_above_a_review(ragcli: Run) -> None:
    assert ragcli("index", ROOT / "sample_data" / "film_reviews.jsonl", "--no-encoder").code == 0
    assert ragcli("review", "Inception").err.startswith("Of 6 reviews, ")
    assert ragcli("review", "Inception", "--format", "json").err == ""


def test_a_review_reads_in_order_from_judgement_to_verdict() -> None:
    """Judgement, story, acting, craft, reservation, verdict: a sentence of each review, none that leans on another."""
    assert composed(*REVIEWS) == [
        "Harbour is a wonderful film that holds the attention from its first minute to its last.",
        "The story of two sisters who inherit a shipyard is told with great patience.",
        "Anna Berg gives a superb performance as the older sister, proud and frightened at once.",
        "The photography makes a grey town beautiful, and the score never says too much.",
        "The plot drags badly in the middle, and the subplot about the bank is dull.",
        "Harbour is worth seeing twice, and the best film about work in years.",
    ]


class Judging:
    """Find a text near to judgements if it says that the film works."""

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        judges = [text in examples()["judgement"] or "works" in text for text in texts]
        return np.array([[1.0, 0.0] if one else [0.0, 1.0] for one in judges], dtype=np.float32)

    queries = passages


def test_an_encoder_finds_a_judgement_to_open_or_close_with() -> None:
    texts = (
        "Good harbours are hard to find in a film of two hours. The film works from its first minute to its last.",
        "Anna Berg plays the good older sister well, with a film of tears on her face.",
        "The photography makes a good grey town of the film, and the score is good.",
    )
    judgement = "The film works from its first minute to its last."
    for encoder, judged in ((None, False), (Judging(), True)):
        first, *_, last = compose_review(film(*texts), 3, "en", encoder)
        assert (judgement in (first.text, last.text)) is judged


def test_minilm_tells_a_judgement_from_a_scene_and_a_memory() -> None:
    said = {
        "judgement": ("A frightening film, and a deeply reassuring one.", "I have rarely enjoyed a comedy so much."),
        "scene": ("A girl sits in the train, and a spirit sits beside her.", "A van falls slowly off a bridge."),
        "anecdote": ("I saw it with my cousin, who talked all the way home.",),
    }
    texts = [text for listed in said.values() for text in listed]
    found = roles(texts, open_encoder("minilm", "auto", print))
    best = [max(found, key=lambda role: found[role][place]) for place in range(len(texts))]
    assert best == [role for role, listed in said.items() for _ in listed]


class Telling:
    """Find a text near to the examples of a role if it has one of these words."""

    WORDS = (("reassuring", "judgement"), ("sits", "scene"))

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        own = {text: role for role, listed in examples().items() for text in listed}
        names = [own.get(text) or next((role for word, role in self.WORDS if word in text), "") for text in texts]
        return np.array([[float(name == role) for role in examples()] for name in names], dtype=np.float32)

    queries = passages


def test_a_judgement_without_a_verb_opens_a_review_and_a_scene_does_not() -> None:
    opening = "A frightening film, and a deeply reassuring one."
    scene = "A good film of a girl who sits in a train, and a great spirit sits beside her, a fine and funny film."
    texts = (*REVIEWS[1:4], scene, f"Bringing my son was a gamble. {opening}")
    chosen = [one.text for one in compose_review(film(*texts), 4, "en", Telling())]
    assert chosen[0] == opening
    assert opening not in composed(*texts)


def test_what_most_reviews_say_opens_and_ends_even_if_their_words_are_dark() -> None:
    dark = [f"The {what} of this film is a cold and silent place." for what in ("city", "house", "ship", "war")]
    hits = [
        *(
            one._replace(metadata={"sentiment": "positive"})
            for one in film(*dark, "The film is a superb thriller from first to last.")
        ),
        film("The film is an awful bore, and worse than it looks.")[0]._replace(metadata={"sentiment": "negative"}),
    ]
    assert compose_review(hits, 2, "en")[0].text == "The film is a superb thriller from first to last."


def test_a_verdict_opens_if_nothing_else_judges_the_film() -> None:
    verdict = "See it twice, the most reassuring film about work in years, worth every minute."
    plain = [f"Two sisters and Peter Holm act out {what} on a boat." for what in ("a quarrel", "a song", "a dream")]
    texts = (*plain, verdict)
    assert compose_review(film(*texts), 4, "en", Telling())[0].text == verdict


def test_a_chinese_review_has_the_same_order() -> None:
    reviews = (
        "这部电影非常精彩，从头到尾都让人喜欢。但是有点长。",
        "剧情讲述两姐妹继承船厂的故事，细腻动人。",
        "女主角的演技出色，把姐姐演得很真实。她很好。",
        "剧情中段拖沓，配角的台词也很尴尬。",
        "总之值得一看，是今年最好的经典佳作。",
    )
    assert composed(*reviews, language="zh", sentences=5) == [
        "这部电影非常精彩，从头到尾都让人喜欢。",
        "剧情讲述两姐妹继承船厂的故事，细腻动人。",
        "女主角的演技出色，把姐姐演得很真实。",
        "剧情中段拖沓，配角的台词也很尴尬。",
        "总之值得一看，是今年最好的经典佳作。",
    ]


def test_praise_and_blame_have_the_shares_of_the_reviews() -> None:
    bad = [
        f"The {what} of this film is dull, tedious and badly made from beginning to end." for what in ("plot", "cast")
    ]
    bad += ["The music is an awful mess that ruins every quiet scene in the whole film."]
    good = ["The photography of the film is beautiful, and the colours glow on every street."]
    signs = [polarity(text) > 0 for text in composed(*bad, *good, sentences=4)]
    assert sorted(signs) == [False, False, False, True]
    assert not signs[0] and not signs[-1]  # what most say begins and ends; what few say comes before the end


def test_nothing_is_said_twice() -> None:
    same = "The film is a wonderful and moving story about two sisters in a harbour town."
    assert composed(same, same.upper(), same + " Superb acting makes the sisters come alive in every scene.") == [
        same,
        "Superb acting makes the sisters come alive in every scene.",
    ]


def test_every_sentence_is_its_reviews_own() -> None:
    hits = film(*REVIEWS)
    for one in compose_review(hits, 6, "en"):
        assert one.source and hits[one.source - 1].text[one.start : one.end] == one.text


def test_reviews_of_a_word_or_of_none_are_taken_as_they_are() -> None:
    assert composed("Superb!", "Dull.", sentences=2) == ["Superb!", "Dull."]
    assert compose_review([], 3, "en") == ()


@pytest.mark.parametrize(
    "leaning",
    [
        "It also has a boat.",
        "But the ending is weak.",
        "He is at his best in the last act.",
        "These scenes are the best of the film.",
        "That image stays with you.",
        "There are more spectacular scenes in the film, but this is the hinge.",
        "From there the famous farewell is only a matter of time.",
        "The other half is a love story.",
        "Everything corny is carried along by her conviction.",
        "No-Face, though, is a superb invention.",
        "Anna Berg makes him so gentle that his fate hurts.",
        "The film gives both sides their due.",
        "For a comedy about plastic, that is a grown-up idea.",
        "Smart, jaunty and savvy, it races through the script.",
        "但是结局很弱。",
        "他演得很好。",
        "这让人感动。",
    ],
)
def test_a_sentence_that_leans_on_another_is_known(leaning: str) -> None:
    assert not stands_alone(leaning, "en" if leaning.isascii() else "zh")


@pytest.mark.parametrize(
    "alone",
    [
        "Gosling is very funny when miserable, playing in a cover band with murder in his eyes.",
        "This is a film that you will remember.",
        "The film knows what it wants.",
        "Anna Berg makes her aunt gentle.",
        "There is a lovely film hiding in the quiet patches.",
        "这部电影很好看。",
        "导演的镜头很稳。",
    ],
)
def test_a_sentence_that_stands_alone_is_known(alone: str) -> None:
    assert stands_alone(alone, "en" if alone.isascii() else "zh")


def test_a_long_sentence_takes_no_long_time() -> None:
    """No pattern takes the square of 10^5 characters of what it looks for, which would be minutes for each."""
    for piece in ("-", "a", "a-", "a, b and ", "and ", ", ", "in a ", "Anna ", "the er ", "’"):
        stands_alone(piece * 100_000, "en")


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("The script is clever.", True),
        ("Watch it for the green gloom.", True),
        ("Jerry Goldsmith's score creeps in on cold little woodwinds.", True),
        ("The film that made her famous still works.", True),
        ("A small complaint.", False),
        ("A film that looks at people and sees them.", False),
        ("Second viewing, on a small laptop, with headphones.", False),
        ("Two people with voices and no problems that an agent could not solve.", False),
    ],
)
def test_a_whole_sentence_has_a_verb_of_its_own(text: str, whole: bool) -> None:
    assert is_whole(text) is whole


def test_every_film_of_the_sample_gets_a_review_that_stands() -> None:
    """Four to six whole sentences of at least three reviews, none of which leans on what is not there."""
    lines = map(json.loads, (ROOT / "sample_data" / "film_reviews.jsonl").read_text(encoding="utf-8").splitlines())
    for title, reviews in groupby(lines, key=lambda line: str(line["title"])):
        hits = [Hit(n, r["id"], title, r["text"], 1.0, 0, len(r["text"]), r) for n, r in enumerate(reviews, 1)]
        chosen = compose_review(hits, 6, "en")
        assert 4 <= len(chosen) <= 6 and len({one.source for one in chosen}) >= 3, title
        assert all(stands_alone(one.text, "en") and is_whole(one.text) for one in chosen), title


def test_review_needs_no_model(ragcli: Run) -> None:
    """By default sentences of reviews; a model that is named writes from these sentences."""
    assert ragcli("index", ROOT / "sample_data" / "film_reviews.jsonl", "--index", "films", "--no-encoder").code == 0
    [answer] = ragcli("review", "inception", "--index", "films", "--format", "json").objects()
    assert answer["style"] == "grounded" and answer["model"] == "" and len(answer["sentences"]) >= 4
    [prompt] = ragcli("review", "inception", "--index", "films", "--dry-run", "--format", "json").objects()
    assert [one["text"] for one in prompt["used"]] == [one["text"] for one in answer["sentences"]]
