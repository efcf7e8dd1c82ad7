"""Reading files of many formats as sections without markup; each file is read, or left out with a reason."""

import io
import json
import sqlite3
import tarfile
import zipfile
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from ragcli.documents import Document, Reject, content_hash
from ragcli.readers import FieldNames, Input, read_documents


def read(path: Path) -> list[Document]:
    items = list(read_documents([Input(path, path.name)], FieldNames()))
    documents = [item for item in items if isinstance(item, Document)]
    assert documents == items, items
    return documents


def reason(path: Path) -> str:
    [item] = read_documents([Input(path, path.name)], FieldNames())
    assert isinstance(item, Reject)
    assert (item.file, item.line, item.id) == (path.name, 0, None)
    return item.reason


def parts(path: Path, content: str | bytes) -> list[tuple[str, str]]:
    """Return the titles and texts of a file's sections."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(document.title, document.text) for document in read(path)]


MARKDOWN = """---
title: The Guide
date: 2024-03-05
tags: [a, b]
---

Welcome to **the** [guide](https://example.org), see ![a picture](x.png)
and `code`.<br>Bye.

# Install {#install}

Get it:

- First,
  the *package*
- Second
  1. one
  2. two

## Linux

```sh
# not a heading
apt install it
```

| Name | Meaning |
|------|---------|
| `-q` | be quiet |
| `-v` | be loud |

<!-- a comment -->
<div class="x">Some <b>bold</b> words &amp; more</div>

Setext
======
Last.[^1]
"""


def test_markdown_is_read_by_its_headings(tmp_path: Path) -> None:
    assert parts(tmp_path / "guide.md", MARKDOWN) == [
        ("The Guide", "Welcome to the guide, see a picture and code.\nBye."),
        ("The Guide › Install", "Get it:\n\n- First, the package\n- Second\n  1. one\n  2. two"),
        (
            "The Guide › Install › Linux",
            "```sh\n# not a heading\napt install it\n```\n\n"
            "- Name: -q; Meaning: be quiet\n- Name: -v; Meaning: be loud\n\nSome bold words & more",
        ),
        ("The Guide › Setext", "Last."),
    ]
    documents = read(tmp_path / "guide.md")
    assert [document.id for document in documents] == [
        "guide.md", "guide.md#install", "guide.md#linux", "guide.md#setext",
    ]  # fmt: skip
    assert documents[2].metadata == {
        "date": "2024-03-05",
        "tags": ["a", "b"],
        "source": "guide.md",
        "heading": "Install › Linux",
        "line": 20,
    }
    assert [documents[2].text[a:b][:5] for a, b in documents[2].whole] == ["```sh", "- Nam"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            '!!! note "Mind"\n\n    Indented **text**.\n\n    - item\n\nAfter.',
            "Mind\n\nIndented text.\n\n- item\n\nAfter.",
        ),
        ('=== "Tab"\n\n    ```py\n    x = 1\n    ```', "Tab\n\n```py\nx = 1\n```"),
        (":::tip[Good]\nText.\n:::", "Good\nText."),
        ("::: warning\nText.\n:::", "Warning: Text."),
        ("/// note | Title\n\nText.\n\n///", "Title\n\nText."),
        ("> [!NOTE]\n> Mind the gap.", "Note: Mind the gap."),
        ("!!! warning\n\n    Mind the gap.\n\n    - item", "Warning: Mind the gap.\n\n- item"),
        ("See [this]({{ '/x/' | relative_url }}) and `{:?}`.", "See this and {:?}."),
        ("{% include 'x' %}\nText {{< ref x >}}here.", "Text here."),
        ("A {func}`~click.echo` and {ref}`that page <page>`.", "A click.echo and that page."),
        ("```{note}\nMind *this*.\n```", "Note: Mind this."),
        ("```{eval-rst}\n.. currentmodule:: x\n```\nText.", "Text."),
        ("中文\n换行 and\nEnglish", "中文换行 and English"),
        ('Text.\n\n{{ tabs({ command: "x" }) }}\n\nMore.', "Text.\n\nMore."),
        ("See [`a()`][x.y.a], [Field][x.Field] and [b][], not x[1][2.5].", "See a(), Field and b, not x[1][2.5]."),
        ("```js\n{% raw %}\nx = `{{y}}`\n{% endraw %}\n```", "```js\nx = `{{y}}`\n```"),
        ("A ~b~ is ~~c~~.", "A ~b~ is c."),
        ("Open [[Local vaults|vaults]], [[#note]] or [[A#B]]: `[[x]]`. ^f00d", "Open vaults, note or A › B: [[x]]."),
        ("![[a.png|100]] Text of rows[[1]], if [[ -f x ]].", "Text of rows[[1]], if [[ -f x ]]."),
        (": Port to\nlisten on.\n\n    Defaults to `25`.\n\nAfter.", "Port to listen on.\n\nDefaults to 25.\n\nAfter."),
        ("Term\n:   Its meaning.\n\n    - item", "Term:\nIts meaning.\n\n- item"),
        ("- *a* and `b`\n- c<br>d\n\n1. e\n\n   > f", "- a and b\n- c\n  d\n\n1. e\n   f"),
        (">>> def f():\n...     with g():\n        # go\n        pass", "def f(): ...     with g(): # go pass"),
        ("> " * 500 + "*deep*\n\nText.", "deep\n\nText."),
    ],
)
def test_markdown_has_dialects(tmp_path: Path, source: str, text: str) -> None:
    assert parts(tmp_path / "a.md", source) == [("a", text)]


def test_mdx_is_text_without_imports_and_components(tmp_path: Path) -> None:
    source = "import Tabs from '@theme/Tabs';\n\nexport const x = 1;\n\n# Title\n\n<Tabs>\n\nSome text.\n\n</Tabs>\n"
    assert parts(tmp_path / "a.mdx", source) == [("Title", "Some text.")]


def test_a_page_of_settings_only_is_its_description(tmp_path: Path) -> None:
    source = "---\ntitle: Armut\ndescription: How Armut uses Go.\nlink: https://example.org\n---\n"
    assert parts(tmp_path / "a.md", source) == [("Armut", "How Armut uses Go.")]


def test_settings_that_would_unfold_to_gigabytes_are_left_out(tmp_path: Path) -> None:
    bomb = "---\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n---\nText.\n"
    [document] = read_written(tmp_path / "a.md", bomb)
    assert (document.text, document.metadata) == ("Text.", {"source": "a.md", "line": 1})


def read_written(path: Path, content: str) -> list[Document]:
    path.write_text(content, encoding="utf-8")
    return read(path)


def test_restructured_text_is_read_by_its_headings(tmp_path: Path) -> None:
    source = """
.. comment
   more of it

=====
Title
=====

See :ref:`the page <page>`, :func:`~pkg.run` and `a link <http://x>`__, *soft* **hard** ``code``.

Sub
---

Like this::

    x = *y*

.. code-block:: python
   :linenos:

   print("hi")

.. note:: Mind
   this.

.. toctree::
   a
   b

* one
* two

=====  =====
A      B
=====  =====
1      2
=====  =====
"""
    assert parts(tmp_path / "a.rst", source) == [
        ("Title", "See the page, run and a link, soft hard code."),
        (
            "Title › Sub",
            'Like this:\n\n```\nx = *y*\n```\n\n```python\nprint("hi")\n```\n\nNote: Mind\nthis.\n\n'
            "* one\n* two\n\n- A: 1; B: 2",
        ),
    ]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "+------+--------+\n| Name | What   |\n+======+========+\n| *-q* | be     |\n"
            "|      | quiet  |\n+------+--------+\n| -v   | be     |\n|      | loud   |\n+------+--------+",
            "- Name: -q; What: be quiet\n- Name: -v; What: be loud",
        ),
        ("+----+----+\n| a  | b  |\n+----+----+\n| c       |\n+----+----+", "- a; b\n- c"),
        ("====  ====\nName  What\n====  ====\n-q    be\n      quiet\n-v    be loud indeed\n====  ====",
         "- Name: -q; What: be quiet\n- Name: -v; What: be loud indeed"),
        ("====  ====\n-q    quiet\n-v    loud\n====  ====", "- -q; quiet\n- -v; loud"),
    ],
)  # fmt: skip
def test_a_row_of_a_restructured_table_has_the_names_of_its_columns(tmp_path: Path, source: str, text: str) -> None:
    assert parts(tmp_path / "a.rst", source) == [("a", text)]


def test_what_introduces_code_or_a_list_stays_with_it(tmp_path: Path) -> None:
    source = "Text before.\n\nExamples of good code:\n\nCorrect:\n\n```js\nx = 1\n```\n\nAfter.\n\nAlone:\n"
    [document] = read_written(tmp_path / "a.md", source)
    [(start, end)] = document.whole
    assert document.text[start:end] == "Examples of good code:\n\nCorrect:\n\n```js\nx = 1\n```"


def test_restructured_text_of_extensions_is_text(tmp_path: Path) -> None:
    source = (
        "Title\n=====\n\n:released: today\n\n.. setting:: x_timeout\n\n``x_timeout``\n~~~~~~~~~~~~~\n\nSeconds.\n\n"
        ".. py:function:: run(x)\n\n.. setting:: y\n\n   Of y.\n"
    )
    sections = [("Title", "released: today"), ("Title › x_timeout", "Seconds.\n\nrun(x)\n\ny\n\nOf y.")]
    assert parts(tmp_path / "a.rst", source) == sections
    assert parts(tmp_path / "a.txt", source) == sections  # told by its marks


def test_roles_become_what_they_name_and_literals_keep_their_tags(tmp_path: Path) -> None:
    source = (
        "Views\n=====\n\nA ``<form>`` sets :data:`.current_app`, see :doc:`/views` and `it <x>`_ in :file:`/etc/x`.\n"
    )
    assert parts(tmp_path / "a.rst", source) == [("Views", "A <form> sets current_app, see views and it in /etc/x.")]


@pytest.mark.parametrize("piece", ["a.", "a:", " ", "**a ", "`a <", "|a"])
def test_hostile_restructured_text_takes_no_long_time(tmp_path: Path, piece: str) -> None:
    """No pattern takes the square of 10^5 characters, which would be minutes."""
    text = piece * (100_000 // len(piece))
    [(_, read)] = parts(tmp_path / "a.rst", f"The garden{text} is green.")
    assert read.startswith("The garden") and read.endswith("is green.")


def test_marks_in_restructured_text_keep_their_names(tmp_path: Path) -> None:
    source = "See :c:func:`run`, :py:meth:`~a.b.C.go`, the guide-book_ and **all of it** [1]_.\n"
    assert parts(tmp_path / "a.rst", source) == [("a", "See run, go, the guide-book and all of it.")]


def test_boxes_of_facts_and_titles_of_tables_are_no_columns(tmp_path: Path) -> None:
    box = "<table><tr><td>Logo</td><tr><th>Founded</th><td>1975</td><tr><th>Seat</th><td>Redmond</td></table>"
    assert parts(tmp_path / "a.html", box) == [("a", "- Logo\n- Founded: 1975\n- Seat: Redmond")]
    table = "<table><tr><th>Ducks</th><tr><th>Year</th><th>Number</th><tr><td>1</td><td>2</td></table>"
    assert parts(tmp_path / "b.html", table) == [("b", "Ducks\n- Year: 1; Number: 2")]


def test_html_is_its_main_content(tmp_path: Path) -> None:
    filler = "Words of the page. " * 20
    source = f"""<!doctype html><html><head><title>Site</title><script>x()</script></head><body>
    <nav>Home</nav><main><h1>Page<a class="headerlink" href="#">¶</a></h1><p>{filler}</p>
    <h2 id="list">List</h2><ul><li>One <b>two</b><ul><li>deep</li></ul></li><li>Three</li></ul>
    <div>Loose <em>text</em><p>Paragraph</p></div>
    <pre><code class="language-py">x = 1
y = 2</code></pre><table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>
    <dl><dt>Term</dt><dd>Meaning</dd></dl></main><footer>Imprint</footer></body></html>"""
    assert parts(tmp_path / "a.html", source) == [
        ("Page", filler.strip()),
        (
            "Page › List",
            "- One two\n  - deep\n- Three\n\nLoose text\n\nParagraph\n\n```py\nx = 1\ny = 2\n```\n\n- A: 1; B: 2\n\n"
            "Term\n  Meaning",
        ),
    ]


SENTENCE = "A sentence of the page that says something about its subject, as sentences do. "


def article(around: str) -> str:
    """Return a page of an article in the middle of something else."""
    prose = "".join(f"<p>{number} {SENTENCE * 3}</p>" for number in range(8))
    return f"<body><h1>Story</h1>{around.format(f'<div class=story>{prose}</div>')}</body>"


@pytest.mark.parametrize(
    "around",
    [
        "{}<div class='related-posts'><p>" + SENTENCE + "</p></div>",
        "{}<div class='comments'><p>" + SENTENCE + "</p></div>",
        "{}" + f"<div><h3><a href=/other>Another</a></h3><p>{SENTENCE * 2}</p></div>" * 3,
        "<div class='content paywall'>{}</div>",
        "<form action=page.aspx>{}</form>",
        "<div aria-hidden=true>{}</div>",
        "<table><tr><td><table><tr><td>Menu</table><td>{}</table>",
        "<div><div>{}</div><div>" + f"<a href=x><p>{SENTENCE}</p></a>" * 9 + "</div></div>",
        "{}<div>" + "<div><a href=x>Another story that is worth your while</a></div>" * 20 + "</div>",
        "<main>{}<article><p>" + SENTENCE + "</p></article></main>",
        "<article>{}</article><article><p>" + SENTENCE + "</p></article>",
    ],
)
def test_html_is_what_the_page_is_about(tmp_path: Path, around: str) -> None:
    expected = "\n\n".join(f"{number} {SENTENCE * 3}".strip() for number in range(8))
    assert parts(tmp_path / "a.html", article(around)) == [("Story", expected)]


def test_a_page_of_what_others_have_beside_their_content_is_read(tmp_path: Path) -> None:
    source = f"<body>{f'<div class=related-posts><p>{SENTENCE}</p></div>' * 9}</body>"
    assert parts(tmp_path / "a.html", source) == [("a", "\n\n".join([SENTENCE.strip()] * 9))]


def test_paragraphs_in_a_cell_are_apart(tmp_path: Path) -> None:
    table = "<table><tr><th>Who</th><th>What</th></tr><tr><td>a</td><td><p>one</p><p>two</p></td></tr></table>"
    assert parts(tmp_path / "a.html", table) == [("a", "- Who: a; What: one two")]


def test_cells_that_span_rows_or_columns_keep_the_others_in_place(tmp_path: Path) -> None:
    html = (
        "<table><tr><th rowspan=2>Name<th colspan=2>Size</tr><tr><th>min<th>max</tr><tr><td rowspan=2>a<td>1<td>2</tr>"
        "<tr><td>3<td>4</tr><tr><td colspan=2>b<td>5</tr></table>"
    )
    rows = ["Name: a; Size min: 1; Size max: 2", "Name: a; Size min: 3; Size max: 4", "Name: b; Size max: 5"]
    assert parts(tmp_path / "a.html", html) == [("a", "\n".join(f"- {row}" for row in rows))]

    def cell(text: str, settings: str = "") -> str:
        return f"<w:tc><w:tcPr>{settings}</w:tcPr><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>"

    wide, begun, on = "<w:gridSpan w:val='2'/>", "<w:vMerge w:val='restart'/>", "<w:vMerge/>"
    inner = f"<w:tc><w:tbl><w:tr>{cell('x')}{cell('y')}</w:tr></w:tbl></w:tc>"
    lines = (
        cell("Name") + cell("Size", wide),
        cell("a", begun) + cell("1") + cell("2"),
        cell("", on) + cell("3") + inner,
    )
    table = "".join(f"<w:tr>{line}</w:tr>" for line in lines)
    docx = f"<w:document xmlns:w='w'><w:body><w:tbl>{table}</w:tbl></w:body></w:document>"
    assert parts(tmp_path / "a.docx", package(**{"word/document.xml": docx})) == [
        ("a", "- Name: a; Size: 1; Size: 2\n- Name: a; Size: 3; Size: x y")
    ]


def test_messages_in_a_message_are_read(tmp_path: Path) -> None:
    parts_of = "".join(
        f"--b\nContent-Type: message/rfc822\n\nSubject: x\nContent-Type: text/plain; charset={charset}\n\n{text}\n\n"
        for charset, text in (("utf-8", "One."), ("no-such", "Two.\n> quoted"))
    )
    digest = f"Subject: Digest\nMIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n{parts_of}--b--\n"
    assert parts(tmp_path / "a.eml", digest) == [("Digest", "One.\n\nTwo.")]


def test_asciidoc_and_org_are_text_under_headings(tmp_path: Path) -> None:
    adoc = "= Book\n:toc:\n\n== Part *one*\n\nSee link:x.html[the page].\n\n----\ncode\n----\n"
    assert parts(tmp_path / "a.adoc", adoc) == [("Book › Part one", "See the page.\n\n```\ncode\n```")]
    org = "#+TITLE: Book\n* TODO Part :tag:\nSee [[http://x][the page]].\n#+begin_src sh\nls\n#+end_src\n"
    assert parts(tmp_path / "a.org", org) == [("Book › Part", "See the page.\n\n```sh\nls\n```")]


def test_elements_on_lines_of_their_own_are_not_glued(tmp_path: Path) -> None:
    demos = '<code src="./a.tsx">基本使用</code>\n<code src="./b.tsx">表单布局</code>\n'
    assert parts(tmp_path / "a.md", demos) == [("a", "基本使用\n表单布局")]


def test_strong_text_beside_chinese_punctuation_has_no_stars(tmp_path: Path) -> None:
    source = "这是**重点。**可以看到 2**3**4，`a**b` 与 6****7。\n"
    assert parts(tmp_path / "a.md", source) == [("a", "这是重点。可以看到 234，a**b 与 6****7。")]


def test_settings_of_a_container_are_not_text(tmp_path: Path) -> None:
    source = ":::success{title=Tip} See [this](x) or [that](y).\n:::\n\n:::warning{title='Mind it'}\nGap.\n:::\n"
    assert parts(tmp_path / "a.md", source) == [("a", "Tip: See this or that.\n\nMind it\nGap.")]


def test_imports_are_left_out_of_any_markdown(tmp_path: Path) -> None:
    assert parts(tmp_path / "a.md", "import Flag from './_flag.mdx'\n\n<Flag />\n\nText.\n") == [("a", "Text.")]


def test_a_dash_is_an_empty_cell(tmp_path: Path) -> None:
    table = "| sign | default | type |\n|---|---|---|\n| - | - | int |\n"
    assert parts(tmp_path / "a.md", table) == [("a", "- sign: -; type: int")]


ASCIIDOC = """= Guide
Jane Doe <jane@example.org>
v1.2, 2024-01-01
:url: https://example.org
:product: Rocket

Welcome to {product}. See {url}[the site^], <<setup,Set-up>> and kbd:[Ctrl+T]; {unknown} stays, but for {its}[link].

== Options [[options]]

.All of them
[source,sh]
----
run -v <1>
----
<1> talks *much*

[%header,cols="1,2a"]
|===
|Name |Meaning

|`-q`
|be
quiet
|`-v` |be __very__ loud
|===

* one
** one in one
+
 code here

* two

Terms

term:: its
meaning
other::
  theirs

NOTE: Mind the *gap*.

Old title
---------
Last `+*words*+`.
"""


def test_asciidoc_tables_lists_and_marks_are_text(tmp_path: Path) -> None:
    options = [
        "All of them:\n\n```sh\nrun -v\n```",
        "1. talks much",
        "- Name: -q; Meaning: be quiet\n- Name: -v; Meaning: be very loud",
        "- one\n  - one in one\n    ```\n    code here\n    ```\n- two",
        "Terms",
        "term\n  its meaning\nother\n  theirs",
        "NOTE: Mind the gap.",
    ]
    assert parts(tmp_path / "a.adoc", ASCIIDOC) == [
        ("Guide", "Welcome to Rocket. See the site, Set-up and Ctrl+T; {unknown} stays, but for link."),
        ("Guide › Options", "\n\n".join(options)),
        ("Guide › Old title", "Last *words*."),
    ]


ORG = """#+title: Book
* Contents :TOC_2:
- [[#part][Part]]
* Part
:PROPERTIES:
:ID: 1
:END:
Press [[kbd:][C-[]] or ~a b~, in /the
margin/ too, as in a/b/c.
- name :: what it is
- [[doom:flycheck]]
| Key | Does |
|-----+------|
| ~j~ | down |
: fixed
"""


def test_org_tables_and_marks_are_text(tmp_path: Path) -> None:
    text = "Press C-[ or a b, in the\nmargin too, as in a/b/c.\n- name: what it is\n- flycheck"
    assert parts(tmp_path / "a.org", ORG) == [("Book › Part", text + "\n\n- Key: j; Does: down\n\n```\nfixed\n```")]


def test_a_line_between_paragraphs_is_no_text(tmp_path: Path) -> None:
    assert parts(tmp_path / "a.rst", "One.\n\n-----\n\nTwo.\n\n****\n") == [("a", "One.\n\nTwo.")]


def test_a_table_ends_at_its_last_rule(tmp_path: Path) -> None:
    table = "===  ===\na    b\n===  ===\n"
    assert parts(tmp_path / "a.rst", f"{table}\nBetween ``them``.\n\n{table}") == [
        ("a", "- a; b\n\nBetween them.\n\n- a; b")
    ]


def test_subtitles_are_what_is_said(tmp_path: Path) -> None:
    source = "1\n00:00:01,000 --> 00:00:02,000\n<i>Hello</i>\nworld.\n\n2\n00:00:03,000 --> 00:00:04,000\nBye.\n"
    assert parts(tmp_path / "a.srt", source) == [("a", "Hello\nworld.\nBye.")]


def test_source_code_is_its_documentation_by_symbol(tmp_path: Path) -> None:
    python = (
        '"""Module."""\n\nclass A:\n    """Class."""\n\n    def run(self, x: int) -> str:\n'
        '        """Run.\n\n        :param x: much\n        """\n'
    )
    assert parts(tmp_path / "a.py", python) == [
        ("a", "Module."),
        ("a › A", "class A()\n\nClass."),
        ("a › A › run", "run(self, x: int) -> str\n\nRun.\n\nx: much"),
    ]
    js = "// --------------\n// Helpers of tabs that nobody else calls\n// --------------\nfunction show() {}\n"
    assert parts(tmp_path / "a.js", js) == [("a › show", "Helpers of tabs that nobody else calls")]
    go = "// Copyright of somebody, all of it\n\n// Serve answers until it is told to stop.\nfunc Serve(x int) {\n}\n"
    assert parts(tmp_path / "a.go", go) == [("a › Serve", "Serve answers until it is told to stop.")]


def test_notebooks_are_text_and_code(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "\n", "Some *text*."]},
        {"cell_type": "code", "source": "x = 1", "outputs": [{"text": "much"}]},
    ]
    content = json.dumps({"cells": cells, "metadata": {"kernelspec": {"language": "python"}}})
    assert parts(tmp_path / "a.ipynb", content) == [("Title", "Some text.\n\n```python\nx = 1\n```")]


def test_rows_of_a_table_are_documents(tmp_path: Path) -> None:
    assert parts(tmp_path / "a.csv", 'name,city\nAnn,"Paris, France"\n\nBob,Rome\n') == [
        ("a", "name: Ann\ncity: Paris, France"),
        ("a", "name: Bob\ncity: Rome"),
    ]
    assert parts(tmp_path / "c.csv", "name,,\nAnn,,tall\n,,\n") == [("c", "name: Ann\ntall")]
    (tmp_path / "b.tsv").write_text("id\ttext\tyear\n1\tOne.\t1999\n", encoding="utf-8")
    assert read(tmp_path / "b.tsv") == [Document("1", "", "One.", {"year": "1999"})]


def test_rows_of_a_spreadsheet_are_documents(tmp_path: Path) -> None:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    links = "http://schemas.openxmlformats.org/package/2006/relationships"
    rows = (("name", "city"), ("Ann", "Paris"), ("", ""), ("Bob", "Rome"))
    cells = ("".join(f"<c t='inlineStr'><is><t>{text}</t></is></c>" for text in row) for row in rows)
    sheet = "".join(f"<row>{row}</row>" for row in cells)

    def relation(kind: str, target: str) -> str:
        one = f"<Relationship Id='r1' Type='{office}/{kind}' Target='{target}'/>"
        return f"<Relationships xmlns='{links}'>{one}</Relationships>"

    book = {
        "_rels/.rels": relation("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": f"<workbook xmlns='{main}' xmlns:r='{office}'><sheets><sheet name='People' sheetId='1' "
        "r:id='r1'/></sheets></workbook>",
        "xl/_rels/workbook.xml.rels": relation("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": f"<worksheet xmlns='{main}'><sheetData>{sheet}</sheetData></worksheet>",
    }
    assert parts(tmp_path / "a.xlsx", package(**book)) == [
        ("a › People 2", "name: Ann\ncity: Paris"),
        ("a › People 4", "name: Bob\ncity: Rome"),
    ]
    far = "<row r='1'><c r='A1'/></row><row r='1048576'><c r='XFD1048576'/></row>"
    book["xl/worksheets/sheet1.xml"] = f"<worksheet xmlns='{main}'><sheetData>{far}</sheetData></worksheet>"
    (tmp_path / "b.xlsx").write_bytes(package(**book))
    assert reason(tmp_path / "b.xlsx") == "a sheet has more than 5,000,000 cells"
    t, p = "urn:oasis:names:tc:opendocument:xmlns:table:1.0", "<x:p>{}</x:p>"
    cell, many = "<t:table-cell>{}</t:table-cell>", "<t:table-cell t:number-columns-repeated='16384'/>"
    table_rows = "".join(f"<t:table-row>{cell.format(p.format(text))}{many}</t:table-row>" for text in ("name", "Ann"))
    ods = f"<o xmlns:t='{t}' xmlns:x='x'><t:table t:name='People'>{table_rows}</t:table></o>"
    assert parts(tmp_path / "a.ods", package(**{"content.xml": ods})) == [("a › People 2", "name: Ann")]


def test_rows_of_parquet_are_documents(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    columns = {"id": ["a", "b"], "text": ["One.", "Two."], "day": [date(2024, 1, 2), None], "tags": [["x"], []]}
    pytest.importorskip("pyarrow.parquet").write_table(arrow.table(columns), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [
        Document("a", "", "One.", {"day": "2024-01-02", "tags": ["x"]}),
        Document("b", "", "Two.", {"tags": []}),
    ]
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and nothing more")
    assert reason(tmp_path / "b.parquet").startswith("damaged")


def test_rows_that_a_query_finds_are_documents(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript("CREATE TABLE n (id, body); INSERT INTO n VALUES (1, 'One.'), (2, 'Two.'), (3, NULL)")
    assert "--query 'SELECT" in reason(path)

    def found(query: str) -> list[Document | Reject]:
        return list(read_documents([Input(path, path.name)], FieldNames(query=query)))

    assert found("SELECT id, body AS text, 'n' AS kind FROM n WHERE id < 3") == [
        Document("1", "", "One.", {"kind": "n"}),
        Document("2", "", "Two.", {"kind": "n"}),
    ]
    assert found("SELECT body FROM n WHERE id = 2") == [
        Document("a.db#1", "a", "body: Two.", {"source": "a.db", "row": 1})
    ]
    for query in (
        "DELETE FROM n",
        f"ATTACH '{path}' AS x",
        "PRAGMA query_only = 0",
        "SELECT nothing",
        "SELECT 1; SELECT 2",
    ):
        [reject] = found(query)
        assert isinstance(reject, Reject) and reject.reason.startswith("the query fails"), query
    assert len(found("SELECT body AS text FROM n WHERE body > ''")) == 2  # nothing was deleted


def test_messages_are_read(tmp_path: Path) -> None:
    message = b"From: ann@example.org\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\n> quoted\nHello.\n"
    assert parts(tmp_path / "a.eml", message) == [("Grüße", "Hello.")]
    assert read(tmp_path / "a.eml")[0].metadata["from"] == "ann@example.org"
    box = b"From a Mon Jan  1 00:00:00 2024\n" + message + b"\nFrom b Mon Jan  1 00:00:00 2024\nSubject: Two\n\nBye.\n"
    assert parts(tmp_path / "a.mbox", box) == [("Grüße", "Hello."), ("Two", "Bye.")]


def package(**files: str | bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return held.getvalue()


def test_office_files_are_read(tmp_path: Path) -> None:
    w = "xmlns:w='w'"
    docx = (
        f"<w:document {w}><w:body><w:p><w:pPr><w:pStyle w:val='H1'/></w:pPr><w:r><w:t>Head</w:t></w:r></w:p>"
        "<w:p><w:r><w:t>Some </w:t></w:r><w:r><w:t>text.</w:t></w:r></w:p>"
        "<w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>item</w:t></w:r></w:p>"
        "<w:p><w:pPr><w:pStyle w:val='Code'/></w:pPr><w:r><w:t>x = 1</w:t></w:r></w:p>"
        "<w:p><w:pPr><w:pStyle w:val='Code'/></w:pPr><w:r><w:t>y = 2</w:t></w:r></w:p>"
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>A</w:t></w:r></w:p></w:tc></w:tr><w:tr><w:tc><w:p><w:r><w:t>1</w:t></w:r></w:p>"
        "</w:tc></w:tr></w:tbl></w:body></w:document>"
    )
    styles = f"<w:styles {w}><w:style w:styleId='H1'><w:pPr><w:outlineLvl w:val='0'/></w:pPr></w:style></w:styles>"
    assert parts(tmp_path / "a.docx", package(**{"word/document.xml": docx, "word/styles.xml": styles})) == [
        ("Head", "Some text.\n\n- item\n\n```\nx = 1\ny = 2\n```\n\n- A: 1")
    ]
    odt = (
        "<o:document-content xmlns:o='o' xmlns:t='t'><o:body><o:text><t:h t:outline-level='1'>Head</t:h>"
        "<t:p>Some <t:span>text</t:span>.</t:p><t:list><t:list-item><t:p>item</t:p>"
        "<t:list><t:list-item><t:p>deep</t:p></t:list-item></t:list></t:list-item>"
        "</t:list>"
        "</o:text></o:body></o:document-content>"
    )
    assert parts(tmp_path / "a.odt", package(**{"content.xml": odt})) == [("Head", "Some text.\n\n- item\n  - deep")]
    slide = (
        "<p:sld xmlns:p='p' xmlns:a='a'><p:sp><p:ph type='title'/><a:p><a:r><a:t>Slide</a:t></a:r></a:p></p:sp>"
        "<p:sp><a:p><a:r><a:t>Point</a:t></a:r></a:p></p:sp></p:sld>"
    )
    assert parts(tmp_path / "a.pptx", package(**{"ppt/slides/slide1.xml": slide})) == [("a › Slide", "Point")]
    book = {
        "META-INF/container.xml": "<c><rootfile full-path='o/b.opf'/></c>",
        "o/b.opf": "<p><title>Book</title><item id='x' href='one.xhtml'/><itemref idref='x'/></p>",
        "o/one.xhtml": "<html><body><h1>Chapter</h1><p>Text.</p></body></html>",
    }
    assert parts(tmp_path / "a.epub", package(**book)) == [("Book › Chapter", "Text.")]


def word(body: str, styles: str = "") -> bytes:
    parts = {"word/document.xml": f"<w:document xmlns:w='w'><w:body>{body}</w:body></w:document>"}
    return package(**parts, **({"word/styles.xml": f"<w:styles xmlns:w='w'>{styles}</w:styles>"} if styles else {}))


def paragraph(text: str, settings: str = "") -> str:
    return f"<w:p><w:pPr>{settings}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_lists_of_word_documents_are_told_by_their_style_and_level(tmp_path: Path) -> None:
    bullet = "<w:style w:styleId='Bullet'><w:pPr><w:numPr/></w:pPr></w:style>"
    style, deep = "<w:pStyle w:val='Bullet'/>", "<w:numPr><w:ilvl w:val='1'/></w:numPr>"
    none = "<w:numPr><w:numId w:val='0'/></w:numPr>"
    body = paragraph("one", style) + paragraph("two", style + deep) + paragraph("three", style + none)
    assert parts(tmp_path / "a.docx", word(body, bullet)) == [("a", "- one\n  - two\n\nthree")]


def test_a_text_box_is_read_once(tmp_path: Path) -> None:
    box = "<w:p><w:r><w:t>Box</w:t></w:r></w:p>"
    both = f"<AlternateContent><Choice>{box}</Choice><Fallback>{box}</Fallback></AlternateContent>"
    body = f"<w:p><w:r>{both}</w:r></w:p>"
    assert parts(tmp_path / "a.docx", word(body)) == [("a", "Box")]


def test_slides_have_tables_and_notes(tmp_path: Path) -> None:
    def rows(*rows: tuple[str, ...]) -> str:
        cells = [[f"<a:tc><a:p><a:t>{cell}</a:t></a:p></a:tc>" for cell in row] for row in rows]
        return "".join(f"<a:tr>{''.join(row)}</a:tr>" for row in cells)

    slide = (
        "<p:sld xmlns:p='p' xmlns:a='a'><p:sp><a:p><a:t>One</a:t><a:br/><a:t>line</a:t></a:p></p:sp>"
        f"<p:graphicFrame><a:tbl>{rows(('Plan', 'Price'), ('small', '5'))}</a:tbl></p:graphicFrame></p:sld>"
    )
    deck = {
        "ppt/slides/slide1.xml": slide,
        "ppt/slides/_rels/slide1.xml.rels": "<r><x Type='t/notesSlide' Target='../notesSlides/notesSlide7.xml'/></r>",
        "ppt/notesSlides/notesSlide7.xml": "<n><sp><ph type='body'/><p><t>Say this.</t></p></sp></n>",
    }
    assert parts(tmp_path / "a.pptx", package(**deck)) == [("a", "One line\n- Plan: small; Price: 5\nSay this.")]


PDF = b"""%%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj
4 0 obj<</Length %d>>stream
%b
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
"""


def test_notes_and_comments_follow_what_they_are_about(tmp_path: Path) -> None:
    docx = (
        "<w:document xmlns:w='w'><w:body><w:p><w:r><w:t>One.</w:t><w:footnoteReference w:id='2'/></w:r></w:p>"
        "<w:p><w:r><w:t>Two.</w:t><w:commentReference w:id='2'/></w:r></w:p></w:body></w:document>"
    )
    note = "<w:x xmlns:w='w'><w:y w:id='2' {}><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:y></w:x>"
    notes = {
        "word/footnotes.xml": note.format("", "See x."),
        "word/comments.xml": note.format("w:author='Ann'", "Why?"),
    }
    assert parts(tmp_path / "a.docx", package(**{"word/document.xml": docx}, **notes)) == [
        ("a", "One.\n\nFootnote: See x.\n\nTwo.\n\nComment by Ann: Why?")
    ]
    odt = (
        "<o:c xmlns:o='o' xmlns:t='t'><o:body><o:text><t:p>One<t:note t:note-class='endnote'><t:note-citation>1"
        "</t:note-citation><t:note-body><t:p>See x.</t:p></t:note-body></t:note>."
        "<o:annotation><o:creator>Ann</o:creator><t:p>Why?</t:p></o:annotation></t:p></o:text></o:body></o:c>"
    )
    assert parts(tmp_path / "a.odt", package(**{"content.xml": odt})) == [
        ("a", "One.\n\nEndnote: See x.\n\nComment by Ann: Why?")
    ]
    pptx = {
        "ppt/slides/slide1.xml": "<p:sld xmlns:p='p'><p:sp><p:p><p:t>Point</p:t></p:p></p:sp></p:sld>",
        "ppt/slides/_rels/slide1.xml.rels": "<r><x Type='t/comments' Target='../comments/c1.xml'/></r>",
        "ppt/comments/c1.xml": "<p:l xmlns:p='p'><p:cm><p:text>Why?</p:text></p:cm></p:l>",
    }
    assert parts(tmp_path / "a.pptx", package(**pptx)) == [("a", "Point\nComment: Why?")]


def test_an_encrypted_workbook_needs_a_password(tmp_path: Path) -> None:
    """Office keeps what is encrypted in an OLE file, whose parts have names in UTF-16."""
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16-le")
    for name in ("a.xlsx", "a.docx"):
        (tmp_path / name).write_bytes(ole)
        assert reason(tmp_path / name) == "encrypted; it needs a password"


def pdf(content: bytes) -> bytes:
    return PDF % (len(content), content)


def test_pages_of_a_pdf_are_read(tmp_path: Path) -> None:
    content = b"BT /F 12 Tf 20 200 Td (Some hyphen-) Tj 0 -14 Td (ated words.) Tj ET"
    assert parts(tmp_path / "a.pdf", pdf(content)) == [("a", "Some hyphenated words.")]
    slide = b"BT /F 12 Tf 14 TL 20 250 Td (A line that is as wide as they get) Tj T* (var x) Tj T* (return x) Tj ET"
    assert parts(tmp_path / "b.pdf", pdf(slide)) == [("b", "A line that is as wide as they get var x\nreturn x")]
    assert read(tmp_path / "a.pdf")[0].metadata == {"source": "a.pdf", "page": 1}
    (tmp_path / "scan.pdf").write_bytes(pdf(b""))
    assert "has no text (scanned?)" in reason(tmp_path / "scan.pdf")
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    assert reason(tmp_path / "bad.pdf").startswith("damaged")


def test_bookmarks_of_a_pdf_are_its_headings(tmp_path: Path) -> None:
    shown = (
        "Preface here",
        "and more",
        "1 First",
        "Text of one,",
        "on two lines",
        "Second of",
        "all",
        "Text of two",
        "Last",
    )
    lines = b" ".join(f"0 -{14 if i else 0} Td ({line}) Tj".encode() for i, line in enumerate(shown))
    entries = (
        b"6 0 obj<</Type/Outlines/First 7 0 R/Last 8 0 R>>endobj\n"
        b"7 0 obj<</Title(First)/Parent 6 0 R/Next 8 0 R/Dest[3 0 R/Fit]>>endobj\n"
        b"8 0 obj<</Title(Second of all)/Parent 6 0 R/Prev 7 0 R/Dest[3 0 R/Fit]>>endobj\ntrailer"
    )
    content = pdf(b"BT /F 12 Tf 20 280 Td " + lines + b" ET").replace(b"trailer", entries)
    content = content.replace(b"/Pages 2 0 R", b"/Pages 2 0 R/Outlines 6 0 R", 1)
    (tmp_path / "a.pdf").write_bytes(content)
    assert [(one.id, one.title, one.text, one.metadata["page"]) for one in read(tmp_path / "a.pdf")] == [
        ("a.pdf#p1", "a", "Preface here and more", 1),
        ("a.pdf#p1-2", "a › First", "Text of one, on two lines", 1),
        ("a.pdf#p1-3", "a › Second of all", "Text of two Last", 1),
    ]


def test_paragraphs_of_a_pdf_are_apart(tmp_path: Path) -> None:
    content = (
        b"BT /F 12 Tf 14 TL 20 250 Td (Heading) Tj 0 -28 Td (A line that is as wide as) Tj "
        b"T* (the others are here.) Tj "
        b"0 -28 Td (A line that begins another) Tj T* (paragraph of text.) Tj ET"
    )
    expected = (
        "Heading\n\nA line that is as wide as the others are here.\n\nA line that begins another paragraph of text."
    )
    assert parts(tmp_path / "a.pdf", pdf(content)) == [("a", expected)]


def test_archives_are_folders(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(package(**{"docs/a.md": "# Title\n\nText.", "docs/.x.md": "hidden"}))
    assert [document.id for document in read(tmp_path / "a.zip")] == ["a.zip/docs/a.md#title"]
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("b.txt")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"Text."))
    assert [document.id for document in read(tmp_path / "b.tar.gz")] == ["b.tar.gz/b.txt"]


def test_bombs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(package(**{"a.txt": "x" * 80_000_000}))
    assert "too large when unpacked" in reason(tmp_path / "a.zip")
    laughs = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><x>&b;</x>"
    (tmp_path / "a.docx").write_bytes(package(**{"word/document.xml": laughs}))
    assert reason(tmp_path / "a.docx") == "XML with entity definitions"
    (tmp_path / "b.docx").write_bytes(package(**{"word/document.xml": laughs.encode("utf-16")}))
    assert reason(tmp_path / "b.docx") == "XML with entity definitions"
    with tarfile.open(tmp_path / "a.tar.xz", "w:xz") as archive:
        info = tarfile.TarInfo("zeros.txt")
        info.size = 2**30  # of which the archive holds nothing
        archive.fileobj.write(info.tobuf())
    assert "too large when unpacked" in reason(tmp_path / "a.tar.xz")
    (tmp_path / "a.html").write_text("<div>" * 100_000 + "x", encoding="utf-8")
    assert reason(tmp_path / "a.html") == "nested too deeply"


@pytest.mark.parametrize("piece", ["<!-- ", "{{< ", "{% ", "`a", "*a ", "[", "[a](", "<a ", "{x}`a "])
def test_marks_without_an_end_are_text(tmp_path: Path, piece: str) -> None:
    """That takes no longer than other text: in proportion to the square of the length it would be minutes."""
    [document] = read_written(tmp_path / "a.md", f"Begin {piece * 50_000}")
    assert document.text.startswith("Begin")


def test_settings_nested_without_end_are_cut(tmp_path: Path) -> None:
    nested = "".join(" " * i + "a:\n" for i in range(300))
    [document] = read_written(tmp_path / "a.md", f"---\n{nested}---\nText.\n")
    assert document.text == "Text."
    assert content_hash("", "", document.metadata)


@pytest.mark.parametrize("suffix", [".docx", ".xlsx", ".odt", ".pptx", ".epub", ".zip", ".ipynb"])
def test_a_damaged_file_is_one_reject(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(package(x="y" * 1000)[:60])
    assert reason(path)


def test_a_file_packed_by_nothing_known_is_a_reject(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\x1f\x8b\x08broken")
    [item] = read_documents([Input(tmp_path / "a.jsonl", "a.jsonl")], FieldNames())
    assert isinstance(item, Reject)
    assert "the compressed file is damaged" in item.reason


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030", "big5", "shift_jis", "cp932", "cp1252"])
def test_old_encodings_are_told(tmp_path: Path, encoding: str) -> None:
    texts = {
        "gb18030": "函数返回一个值，列表是可变的序列，字典保存键和值。",
        "big5": "函數傳回一個值，清單是可變的序列，字典保存鍵和值。",
    }
    texts["shift_jis"] = "関数は値を返します。リストは変更できる並びで、辞書は鍵と値を持ちます。"
    texts["cp932"] = "髙橋さんは東京に住んでいます。"
    text = texts.get(encoding, "Le garçon a mangé une pêche à l’été, très mûre. Où êtes-vous né, déjà, en forêt ?") * 3
    assert parts(tmp_path / "a.txt", text.encode(encoding)) == [("a", text)]


def test_a_kind_of_file_is_told_by_its_content_where_its_name_says_nothing(tmp_path: Path) -> None:
    assert parts(tmp_path / "README", "Plain words.") == [("README", "Plain words.")]
    assert parts(tmp_path / "page", "<!DOCTYPE html><p>Some text.") == [("page", "Some text.")]
    assert parts(tmp_path / "a.txt", '{"id": "1", "text": "One."}\n') == [("", "One.")]
    (tmp_path / "a.bin").write_bytes(b"\x00\x01\x02")
    assert reason(tmp_path / "a.bin") == "not text, nor another format that ragcli reads"
    (tmp_path / "empty.md").write_text("# \n", encoding="utf-8")
    assert reason(tmp_path / "empty.md") == "it holds no text"
