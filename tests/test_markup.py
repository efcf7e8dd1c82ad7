"""What is shown of text with markup."""

import pytest

from ragcli.render.markup import shown_spans


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("See [the guide](https://example.org/a_b) first.", "See the guide first."),
        ("It is **very** *small*, `x = 1`.", "It is very small, x = 1."),
        ("Use :ref:`the guide <guide>` and :meth:`~a.b`.", "Use the guide and a.b."),
        ("def f(*args, **kwargs): return 2 ** 3 * 4", "def f(*args, **kwargs): return 2 ** 3 * 4"),
        (r"a\_b and \*", "a_b and *"),
        ("```python\nx = 1\n```", "x = 1\n"),
        ("Run:\n\n```bash\nmake | grep x\n```\n\nIf it\nfails:", "Run:\n\nmake | grep x\n\nIf it fails:"),
        ("```\n# install it\nRUN **x** `y`\n```\n", "# install it\nRUN **x** `y`\n"),
        ("rest **of** code\n```\nIt is **so**.", "rest **of** code\nIt is so."),
        ("It\nis:\n\n```\nx\n\n# y\n", "It is:\n\nx\n\n# y\n"),
        ("It is from the\nquestion: by it.\nDefault: off", "It is from the question: by it.\nDefault: off"),
        ("# Set it\nkey = 1", "# Set it\nkey = 1"),
        ("# Title\n\n## Part\nIt is.", "Title\n\nPart\nIt is."),
        (">>> for line in f: print(line)\n...\nThe first line.\nThe second.", None),
        ("A line that is\nwrapped.", "A line that is wrapped."),
        ("Hours:\n- Monday: closed\n- Friday: 9 to 1", "Hours:\n- Monday: closed\n- Friday: 9 to 1"),
        ("x = 1\ny = 2", "x = 1\ny = 2"),
        ("<b>bold</b> if a < b", "bold if a < b"),
        ("__init__ and snake_case_name", "__init__ and snake_case_name"),
        ("", ""),
    ],
)
def test_marks_are_not_shown_and_code_is_left_alone(text: str, shown: str | None) -> None:
    assert "".join(piece for _, _, piece in shown_spans(text)) == (text if shown is None else shown)


def test_spans_are_offsets_of_the_text() -> None:
    text = "It is **very** [small](x)\nand old."
    for start, end, piece in shown_spans(text):
        assert piece in (text[start:end], " ")
