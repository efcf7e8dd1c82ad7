"""Blocks: verbatim, in order, complete, no longer than said; and what belongs together stays together."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragcli.analysis.blocks import SHORT, block_size, find_blocks

PIECES = st.sampled_from(
    [
        *(
            "# Options\n",
            "## max_upload\n",
            "Title\n=====\n",
            "\n",
            "\n\n",
            "- an item\n",
            "  - nested: `off`.\n",
            "1. first\n",
        ),
        *(
            "| a | b |\n",
            "|---|---|\n",
            "| 1 | 2 |\n",
            "```\n",
            "~~~sh\n",
            "code = 1\n",
            "    indented()\n",
            "Phone: 555\n",
        ),
        *(
            "Q: Is it?\n",
            "A: Yes.\n",
            "Then run:\n",
            "-f, --file\n",
            "    Read it.\n",
            "A sentence. Another one! ",
            "  ",
            "\t",
        ),
        *(
            "一个句子。",
            "什么?\n",
            "word " * 90,
            "x" * 450,
            "\u2028",
            "\r\n",
            "\x0c",
            "***\n",
            "+--+\n",
            "a | b | c\n",
            "?",
        ),
    ]
)


@given(st.one_of(st.lists(PIECES, max_size=25).map("".join), st.text(max_size=300)), st.sampled_from([20, 180, 400]))
def test_blocks_are_in_order_and_hold_all_of_the_text(text: str, most: int) -> None:
    at = 0
    for block in find_blocks(text, most):
        assert text[at : block.start].strip() == ""
        assert block.start < block.end <= block.start + most
        assert text[block.start : block.end] == text[block.start : block.end].strip()
        assert all(start < end <= block.start for start, end in block.heads)
        at = block.end
    assert text[at:].strip() == ""


def _shown(text: str, most: int = 400) -> list[tuple[str, str]]:
    return [(block.head_of(text), text[block.start : block.end]) for block in find_blocks(text, most)]


def test_nothing_has_no_blocks() -> None:
    assert find_blocks("") == []
    assert find_blocks(" \n\t\n") == []


def test_a_paragraph_is_a_block_and_a_short_one_joins_the_next() -> None:
    long = "A paragraph that is long enough to stand for itself, as most of them are in prose."
    assert _shown(f"{long}\n\n{long}") == [("", long), ("", long)]
    assert _shown(f"Short.\n\n{long}") == [("", f"Short.\n\n{long}")]
    assert _shown(f"{long}\n\nThe end.") == [("", f"{long}\n\nThe end.")]


def test_a_long_paragraph_is_cut_at_sentence_ends() -> None:
    sentence = "This sentence has exactly so many letters as are needed."
    text = " ".join([sentence] * 10)
    blocks = [text[block.start : block.end] for block in find_blocks(text)]
    assert len(blocks) == 2
    assert all(block.endswith("needed.") and len(block) <= 400 for block in blocks)


def test_a_hard_wrapped_paragraph_is_one_block() -> None:
    wrapped = (
        "Values are shared since the expression is evaluated once,\nnot each time. This type of bug "
        "is commonly met by new\nprogrammers. They wonder."
    )
    assert _shown(wrapped) == [("", wrapped)]


def test_lines_that_are_paragraphs_are_blocks() -> None:
    one = "Create a TCP server listening on port of the host address, which is one, or a sequence of them, or None."
    two = "Schedule the server to start accepting connections as soon as the loop was started by whoever has made it."
    assert _shown(f"{one}\n{two}") == [("", one), ("", two)]


def test_a_nested_item_has_the_option_it_belongs_to_as_head() -> None:
    text = (
        "- **cache** – keeps the results of all requests that were answered, for as long as it is told to do so\n"
        "  - Default: `off`. Turn it on if requests are repeated, since nothing else makes so much of a difference.\n"
        "- **proxy** – the address of the server through which all of the requests are sent, none where it is empty"
    )
    assert [head for head, _ in _shown(text)] == ["", "- **cache**", ""]


def test_a_setting_under_its_heading_has_it_as_head() -> None:
    filler = "A longer paragraph about what this option does, when it is read, and who is the one to set it in the end."
    text = f"# Options\n\n## max_upload\n\n{filler}\n\n{filler}\n\nDefault: `10M`.\n\n## timeout\n\n{filler}"
    last = f"{filler}\n\nDefault: `10M`."
    assert _shown(text) == [
        ("", f"# Options\n\n## max_upload\n\n{filler}"),
        ("Options › max_upload", last),
        ("Options", f"## timeout\n\n{filler}"),
    ]


def test_a_row_has_the_names_of_the_columns_as_head() -> None:
    row = "| timeout | 30 | how many seconds a client waits for an answer before it gives up on it |"
    text = "\n".join(["| option | default | meaning |", "|---|---|---|", *[row] * 8])
    shown = _shown(text)
    assert shown[0][1].startswith("| option | default |")
    assert {head for head, _ in shown[1:]} == {"| option | default | meaning |"}
    assert [block for _, block in shown[1:]] == [row] * (len(shown) - 1)


def test_a_lead_in_keeps_the_code_below_it() -> None:
    text = "Install it with pip:\n\n```sh\npip install ragcli\n\nragcli --help\n```\n\n" + "Then go on. " * 8
    assert _shown(text)[0] == ("", "Install it with pip:\n\n```sh\npip install ragcli\n\nragcli --help\n```")


def test_a_list_too_long_for_its_lead_in_has_it_as_head() -> None:
    items = [
        f"- the {n}th of the modes, which is described here at a length that no lead-in could take in" for n in range(9)
    ]
    text = "There are many of them. These are the modes:\n\n" + "\n".join(items)
    shown = _shown(text)
    assert shown[0][1].startswith("There are many") and items[2] in shown[0][1]
    assert shown[-1] == ("These are the modes:", items[-1])


def test_questions_stay_with_their_answers() -> None:
    answer = "A: Yes, it is safe in all of the cases that are listed on the page about safety, and in some others."
    text = f"Q: Is it safe?\n{answer}\n\nQ: Is it fast?\n{answer}"
    assert _shown(text) == [("", f"Q: Is it safe?\n{answer}"), ("", f"Q: Is it fast?\n{answer}")]


def test_a_long_answer_has_its_question_as_head() -> None:
    text = "How long does it take?\n\n" + "It takes a while, since all has to be read. " * 14
    assert {head for head, _ in _shown(text)[1:]} == {"How long does it take?"}


def test_labels_and_values_stay_together() -> None:
    text = "Phone: 555-1234\nFax: 555-1235\nAddress: 1 Main Street, with an entrance from the yard\nOpen: 9 to 5"
    assert _shown(text) == [("", text)]


def test_an_option_of_a_manual_has_its_description() -> None:
    text = (
        "  -f, --file FILE\n      Read from FILE, which may be a pipe or the name of anything that can be read.\n\n"
        "      Default: standard input, unless the variable INPUT says that another one is to be read.\n"
        "  -q\n      Be quiet: print nothing but what was asked for, and errors, which go to standard error."
    )
    shown = _shown(text)
    assert [head for head, _ in shown] == ["", "-f, --file FILE", ""]
    assert shown[2][1].startswith("-q\n")


def test_code_is_cut_at_line_ends() -> None:
    text = "```\n" + "value = compute(something, with_many=arguments)\n" * 20 + "```"
    assert all(block.endswith((")", "```")) for _, block in _shown(text))


def test_chinese_is_cut_at_its_sentence_ends() -> None:
    text = "这是一个用来测试的句子，它有一定的长度。" * 20
    shown = _shown(text, block_size("zh"))
    assert all(len(block) <= 180 and block.endswith("。") for _, block in shown)


def test_languages_have_sizes() -> None:
    assert (block_size("en"), block_size("zh"), block_size("ja")) == (400, 180, 180)
    assert SHORT < 180


@pytest.mark.parametrize(
    "piece",
    [
        "word ",
        "x",
        "- item\n",
        "  - a\n",
        "| a | b |\n",
        "```\n",
        "Is it? ",
        "a:\n",
        "Q: a\n",
        "# a\n",
        "?**",
        "\n",
        " | a",
    ],
)
def test_time_grows_with_the_length(piece: str) -> None:
    def seconds(text: str) -> float:
        began = time.process_time()
        find_blocks(text)
        return time.process_time() - began

    short, long = (min(seconds(piece * times) for _ in range(2)) for times in (4_000, 32_000))
    assert long < 8 * 6 * short + 0.05


def test_code_with_a_blank_line_in_it_is_not_parted_and_does_not_begin_a_block_of_prose() -> None:
    code = "def foo(mydict={}):\n    ... compute something ...\n\n    mydict[key] = value\n    return mydict"
    text = f"Consider this function:\n\n{code}\n\nThe first time you call this function, `mydict` holds one item."
    found = [text[block.start : block.end] for block in find_blocks(text)]
    assert found == [text.partition("\n\nThe")[0], text[text.index("The first") :]]


def test_what_is_typed_at_a_prompt_stays_with_what_is_printed() -> None:
    lead, code, after = (
        "Results may surprise you, as this one does at first sight:",
        ">>> 1.2 - 1.0\n0.19999",
        "It is no bug. " * 6,
    )
    text = f"{lead}\n\n{code}\n\n{after.strip()}"
    assert [text[block.start : block.end] for block in find_blocks(text)] == [f"{lead}\n\n{code}", after.strip()]


def test_what_is_typed_next_stays_with_what_was_typed_before() -> None:
    session = ">>> with open('workfile', encoding='utf-8') as f:\n...     read_data = f.read()\n\n>>> f.closed\nTrue"
    prose = "After a file object is closed, all attempts to use it fail, whichever of the two ways it was closed by."
    assert _shown(f"{session}\n\n{prose}") == [("", session), ("", prose)]


def test_a_sentence_goes_on_over_a_short_line() -> None:
    hut = "In winter they built a hut of stones. " * 3
    text = f"{hut}The leader of the crew was\nKnud Holmberg, a carpenter from Oslo."
    assert [text[block.start : block.end] for block in find_blocks(text)] == [text]
