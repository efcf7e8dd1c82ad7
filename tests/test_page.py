"""Read the HTML pages of reports and comparisons: well-formed, closed to hostile text, legible in a real browser."""

import json
import math
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator, Mapping
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragcli.evaluate.comparison import Changed, Comparison, Difference, compare
from ragcli.evaluate.page import comparison_page, report_page
from ragcli.evaluate.report import Report, Values, mean, new_report

HOSTILE = "<script>alert(1)</script>\"'&amp;\x1b[31m\x00\u202e\u2066\x85\ud800</title></style><!--"
SHOWN = re.sub("[\x1b\x00\u202e\u2066\x85\ud800]", "\ufffd", HOSTILE)
LONG = "怎样在不使用外部库的情况下读取一个非常大的文件" * 12 + "x" * 400


class Element(NamedTuple):
    """Hold an element: its tag, attributes, and all text inside."""

    tag: str
    attributes: dict[str, str]
    text: str


class Outline(HTMLParser):
    """Parse a page, and fail where an element is not closed in its turn."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        assert len(attributes) == len(attrs)
        if tag == "meta":
            self.elements.append(Element(tag, attributes, ""))
        else:
            self._open.append((tag, attributes, []))

    def handle_data(self, data: str) -> None:
        for _, _, texts in self._open:
            texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        opened, attributes, texts = self._open.pop()
        assert opened == tag
        self.elements.append(Element(tag, attributes, "".join(texts)))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Return the elements of a tag that have these attributes; `class_` is class."""
        wanted = {key.strip("_").replace("_", "-"): value for key, value in attributes.items()}.items()
        return [e for e in self.elements if e.tag == tag and wanted <= e.attributes.items()]

    def one(self, tag: str, **attributes: str) -> Element:
        [element] = self.all(tag, **attributes)
        return element

    def cells(self, label: str) -> list[str]:
        """Return the text of each cell of a table's body, row by row."""
        region = self.elements.index(self.one("div", role="region", aria_label=label))
        inside: list[str] = []
        for element in reversed(self.elements[:region]):
            if element.tag in ("td", "th") and element.attributes.get("scope") != "col":
                inside.append(element.text)
            elif element.tag == "thead":
                break
        return inside[::-1]


def report(per_query: Mapping[str, Values], **parts: Any) -> Report:
    """Make a report with the means of its queries' values as metrics."""
    names = list(dict.fromkeys(name for values in per_query.values() for name in values))
    metrics = {name: mean([values.get(name) for values in per_query.values()]) for name in names}
    empty: dict[str, Any] = {"data": {}, "settings": {}, "queries": len(per_query), "metrics": metrics, "seconds": 1.5}
    return new_report(parts.pop("command", "eval retrieval"), per_query=dict(per_query), **(empty | parts))


def scored(values: Mapping[str, float | None], measure: str = "nDCG@10", **parts: Any) -> Report:
    per_query: dict[str, Values] = {query: {measure: value} for query, value in values.items()}
    return report(per_query, **parts)


def hostile_answers(side: str) -> Report:
    """Make a report of answers whose every text is hostile, and begins with the name of its place."""
    query, measure = f"query{HOSTILE}", f"measure{HOSTILE}"
    answer = {"question": f"question{HOSTILE}", "accepted": [f"accepted{HOSTILE}"], "answer": f"answer {side}{HOSTILE}"}
    return report(
        {query: {measure: float(side == "B")}, "other": {measure: 0.5}},
        command=f"command{HOSTILE}",
        data={f"data{HOSTILE}": {"file": f"file {side}{HOSTILE}"}},
        settings={f"setting{HOSTILE}": f"value {side}{HOSTILE}"},
        skipped={f"Skipped{HOSTILE}": 1},
        failed={f"failed{HOSTILE}": f"reason{HOSTILE}"},
        details={"queries": {query: answer}, f"detail{HOSTILE}": f"more{HOSTILE}"},
        command_line=f"line {side}{HOSTILE}",
    )


def compared(changes: list[float], measure: str = "nDCG@10") -> Comparison:
    """Make a comparison of as many queries as there are changes, from 0.5 on, without a significance test."""
    values = [Changed(f"q{i}", 0.5, 0.5 + change) for i, change in enumerate(changes)]
    a, b = scored({v.query: v.a for v in values}, measure), scored({v.query: v.b for v in values}, measure)
    found = Difference(measure, a.metrics[measure] or 0, b.metrics[measure] or 0, 0.01, 1, 1, 1)
    return Comparison(a, b, len(values), 0, 0, [], [found], measure, values)


def counted(page: Outline) -> int:
    """Return how many queries the bars of a histogram stand for."""
    texts = [bar.text for bar in page.all("rect", class_="b")]
    return sum(int(text.rpartition(": ")[2].replace(",", "")) for text in texts)


# Any page


PAGES: dict[str, Callable[[], str]] = {
    "report": lambda: report_page(hostile_answers("A")),
    "comparison": lambda: comparison_page(compare(hostile_answers("A"), hostile_answers("B"))),
    "nothing": lambda: report_page(report({})),
    "one": lambda: report_page(scored({"q": 0.5})),
    "none": lambda: report_page(scored({"q": None, "r": None})),
    "same": lambda: comparison_page(compared([0.0])),
    "infinite": lambda: comparison_page(compared([math.inf, math.nan], "perplexity")),
}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return PAGES[request.param]()


def test_a_page_needs_nothing_else(page: str) -> None:
    outline = Outline(page)
    assert page.startswith("<!doctype html>\n")
    assert not re.search(r"https?://|\bsrc=|<script|<link|@import|url\(|javascript:", page)
    assert not [name for element in outline.elements for name in element.attributes if name.startswith("on")]
    policy = outline.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert page.encode()


def test_a_page_can_be_heard(page: str) -> None:
    outline = Outline(page)
    assert outline.one("html").attributes["lang"] == "en"
    assert outline.elements[-3].tag == "main"
    assert outline.one("h1").text
    assert all(head.attributes["scope"] in ("col", "row") for head in outline.all("th"))
    assert all(region.attributes["aria-label"] for region in outline.all("div", role="region"))
    titles = [element.text for element in outline.all("title")]
    pictures = outline.all("svg")
    assert all(picture.attributes["role"] == "img" and picture.text.startswith(tuple(titles)) for picture in pictures)
    assert titles[0].endswith(" – ragcli")


def test_no_plot_has_a_number_that_is_none(page: str) -> None:
    numbers = [bar.attributes[name] for bar in Outline(page).all("rect") for name in ("x", "y", "width", "height")]
    assert all(0 <= float(number) <= 1000 for number in numbers)
    assert "nan" not in " ".join(numbers)


def test_hostile_text_of_a_report_is_text_everywhere() -> None:
    outline = Outline(PAGES["report"]())
    text = outline.one("html").text
    places = ("query", "measure", "question", "accepted", "answer A", "command", "data", "file A", "setting", "value A")
    for place in (*places, "Skipped", "failed", "reason", "line A", "detail", "more"):
        assert f"{place}{SHOWN}" in text, place
    assert {e.tag for e in outline.elements}.isdisjoint({"script", "amp"})


def test_hostile_text_of_a_comparison_is_text_everywhere() -> None:
    outline = Outline(PAGES["comparison"]())
    text = outline.one("html").text
    places = ("query", "measure", "question", "command", "data", "setting")
    for place in (*places, *(f"{name} {side}" for side in "AB" for name in ("answer", "file", "value", "line"))):
        assert f"{place}{SHOWN}" in text, place


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.text(), st.none() | st.floats(-1e300, 1e300) | st.just(math.inf), max_size=6),
    st.text(),
    st.sampled_from(["nDCG@10", "perplexity"]),
)
def test_any_text_and_any_number_make_a_page(values: dict[str, float | None], text: str, measure: str) -> None:
    made = scored(values, measure, command=text, settings={text: text}, failed={text: text}, command_line=text)
    outline = Outline(report_page(made))
    finite = [value for value in values.values() if value is not None and math.isfinite(value)]
    assert counted(outline) == len(finite)


# A report


def test_measures_and_their_number_of_queries_stand_in_a_table() -> None:
    made = report({"q": {"f1": 0.25, "mean_tokens": None}, "r": {"f1": 0.5, "mean_tokens": 7.0}})
    without = {"metrics": {"f1": 0.125}, "gain": {"f1": 0.25}}
    page = Outline(report_page(made._replace(details={"without_passages": without})))
    assert page.cells("Measures")[:5] == ["f1", "0.3750", "0.1250", "+0.2500", "2"]
    assert page.cells("Measures")[5:] == ["mean_tokenslower is better", "7.0000", "–", "–", "1"]
    assert page.all("title")[0].text == "eval retrieval: f1 0.3750 – ragcli"


def test_bars_count_the_queries_with_a_value() -> None:
    page = Outline(report_page(scored({"a": 0.0, "b": 0.04, "c": 0.05, "d": 1.0, "e": None})))
    bars = page.all("rect")
    assert [bar.text for bar in bars] == ["0 to 0.05: 2", "0.05 to 0.1: 1", "0.95 to 1: 1"]
    assert [float(bar.attributes["height"]) for bar in bars] == [200, 100, 100]


def test_each_measure_with_a_value_has_its_plot() -> None:
    page = Outline(report_page(report({"q": {"f1": 0.5, "recall@5": None, "mean_seconds": 2.0}})))
    assert [figure.text.split("mean ")[0] for figure in page.all("figcaption")] == ["f1", "mean_seconds"]


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0, -2.0, 5.0, 1e300, 5e-324])
def test_equal_values_are_one_bar(value: float) -> None:
    page = Outline(report_page(scored({f"q{i}": value for i in range(7)})))
    assert [bar.text.rpartition(": ")[2] for bar in page.all("rect")] == ["7"]


def test_infinite_values_are_named_and_not_drawn() -> None:
    page = Outline(report_page(scored({"a": 20.0, "b": math.inf, "c": 40.0}, "perplexity")))
    assert counted(page) == 2
    assert "mean 30.0000, median 30.0000, 1 infinite and not drawn" in page.one("figcaption").text
    assert page.cells("Worst queries") == ["b", "∞", "c", "40.0000", "a", "20.0000"]
    assert "Highest perplexity" in [heading.text for heading in page.all("h2")]


def test_worst_queries_are_twenty_at_most_ties_by_id() -> None:
    values: dict[str, float | None] = {f"q{i:04}": float(i % 100 > 0) for i in range(3000)}
    text = report_page(scored(values))
    page = Outline(text)
    assert page.cells("Worst queries")[::2] == [f"q{i:04}" for i in range(0, 2000, 100)]
    assert "20 of 3,000 queries, ties by id." in [line.text for line in page.all("p")]
    assert counted(page) == 3000
    assert len(text) < 30_000


def test_a_bad_answer_stands_beside_its_question() -> None:
    answers = {"q": {"question": LONG, "accepted": ["one", "two"], "answer": ""}}
    page = Outline(report_page(scored({"q": 0.0, "r": 1.0}, "exact_match", details={"queries": answers})))
    cells = page.cells("Worst queries")
    assert cells == ["q", LONG[:600] + " …", "one\ntwo", "–", "0.0000", "r", "–", "–", "–", "1.0000"]


def test_what_was_left_out_and_why_is_told() -> None:
    failed = {f"q{i}": "no memory" for i in range(30)}
    page = Outline(report_page(scored({"q": 1.0}, skipped={"without_results": 1234}, failed=failed)))
    assert page.cells("Left out") == ["Without results", "1,234"]
    assert page.cells("Failed")[:2] == ["q0", "no memory"]
    assert "30 queries failed; 20 shown." in [line.text for line in page.all("p")]


def test_a_page_says_how_to_make_it_again() -> None:
    data = {"questions": {"file": "qa.jsonl", "sha256": "ab"}, "limit": None}
    details = {"search_ms": 1.5, "queries": {}}
    made = scored({"q": 1.0}, data=data, settings={"k": 5}, details=details, command_line="ragcli eval 'x y'")
    page = Outline(report_page(made))
    assert page.one("pre").text == "ragcli eval 'x y'"
    assert page.cells("Settings") == ["k", "5"]
    assert page.cells("Data") == ["questions · file", "qa.jsonl", "questions · sha256", "ab", "limit", "none"]
    assert page.cells("Version and machine")[:2] == ["ragcli", made.version]
    assert page.cells("More") == ["search_ms", "1.5"]


# A comparison


def test_differences_stand_in_a_table_and_the_first_in_the_heading() -> None:
    before: dict[str, float | None] = {"q": 0.25, "r": 0.5, "only": 1.0}
    a, b = scored(before, data={"qrels": "one"}), scored({"q": 0.75, "r": 0.5}, data={"qrels": "other"})
    page = Outline(comparison_page(compare(a, b)))
    assert page.cells("Measures") == ["nDCG@10", "0.3750", "0.6250", "+0.2500", "1.0000", "1", "1", "0"]
    assert page.one("p", class_="lede").text == (
        "+0.2500nDCG@10 over 2 queries: no sure difference, p\u00a0=\u00a01.0000"
    )
    notes = [note.text for note in page.all("p", class_="note")]
    assert "1 of A and 0 of B are left out" in notes[0]
    assert "different data: qrels" in notes[1]
    assert page.cells("Queries") == ["q", "0.2500", "0.7500", "+0.5000"]
    assert page.cells("What differs") == ["Data · qrels", "one", "other"]


def test_alike_reports_say_so() -> None:
    a = scored({"q": 0.5})
    page = Outline(comparison_page(compare(a, a)))
    texts = [line.text for line in page.all("p")]
    assert "+0.0000nDCG@10 over 1 query: B is like A" in texts
    assert {"No query changed.", "Settings, data, version and machine are the same."} <= set(texts)


@pytest.mark.parametrize(
    ("measure", "kinds"), [("nDCG@10", ["better", "better", "worse"]), ("perplexity", ["worse", "worse", "better"])]
)
def test_a_rise_stands_above_the_line_and_a_fall_below(measure: str, kinds: list[str]) -> None:
    page = Outline(comparison_page(compared([0.0, -0.2, 0.4, 0.1], measure)))
    bars = [bar for bar in page.all("rect") if bar.attributes["class"] in ("better", "worse")]
    assert [bar.text for bar in bars] == ["q2 +0.4000", "q3 +0.1000", "q1 −0.2000"]
    assert [bar.attributes["class"] for bar in bars] == kinds
    places = [tuple(float(bar.attributes[name]) for name in ("x", "y", "width", "height")) for bar in bars]
    step = 1000 / 4  # a fourth of the width for each query, a tenth of that free at both sides
    assert places == [(0.1 * step, 0, 0.8 * step, 100), (275, 75, 200, 25), (775, 100, 200, 50)]


def test_thousands_of_queries_are_drawn_to_the_last_and_stay_small() -> None:
    n = 5000
    text = comparison_page(compared([math.sin(i) ** 3 / 2 for i in range(n)]))
    bars = [bar.attributes for bar in Outline(text).all("rect") if bar.attributes["class"] in ("better", "worse")]
    assert len(bars) <= 200
    assert sum(float(bar["width"]) for bar in bars) == pytest.approx(1000, rel=0.01)
    assert max(float(bar["x"]) + float(bar["width"]) for bar in bars) == pytest.approx(1000, rel=0.001)
    assert {float(bar["height"]) for bar in bars} >= {100, 50, 2}
    assert len(text) < 60_000


def test_infinite_changes_are_named_and_not_drawn() -> None:
    page = Outline(comparison_page(compared([math.inf, -0.25, 0.5], "perplexity")))
    assert "2 infinite" not in page.one("html").text
    assert "1 infinite and not drawn" in page.all("figcaption")[0].text
    assert page.cells("Queries")[:4] == ["q0", "0.5000", "∞", "∞"]


# Colours and a browser


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21, as WCAG 2 defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour * 2 if len(colour) == 3 else colour
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_contrast_is_good_in_light_and_dark() -> None:
    style = Outline(PAGES["one"]()).one("style").text
    schemes = re.findall(r":root \{[^}]*\}", style)
    assert len(schemes) == 2
    for scheme in schemes:
        colours = dict(re.findall(r"--(\w+): #(\w+)", scheme))
        for ground in ("page", "tint"):
            assert contrast(colours["ink"], colours[ground]) > 7
            assert contrast(colours["soft"], colours[ground]) > 4.5
        assert all(contrast(colours[name], colours["page"]) > 3 for name in ("a", "b", "worse"))


WIDTHS = (360, 1024)
PROBE = """
<!doctype html><meta charset="utf-8">
<style>body { margin: 0 } iframe { border: 0; display: block; height: 600px }</style>
%s<script>
onload = () => {
  document.title = JSON.stringify([...document.querySelectorAll("iframe")].map(frame => {
    const inside = frame.contentDocument, root = inside.documentElement
    return {
      width: frame.clientWidth, content: Math.max(root.scrollWidth, inside.body.scrollWidth),
      wide: inside.querySelectorAll(".scroll").length && [...inside.querySelectorAll(".scroll")]
        .filter(table => table.scrollWidth > table.clientWidth).length,
      plot: Math.min(...[...inside.querySelectorAll("svg")].map(svg => svg.getBoundingClientRect().height)),
      ground: frame.contentWindow.getComputedStyle(inside.body).backgroundColor,
    }
  }))
}
</script>
"""


def wide_pages() -> Iterator[str]:
    """Yield pages with whatever is wide: long ids, questions and settings, many measures, thousands of queries."""
    names = ("exact_match", "f1", "accuracy", "rouge_l", "recall@5", "groundedness", "mean_tokens", "mean_seconds")
    answers = {LONG: {"question": LONG, "accepted": [LONG], "answer": LONG}}
    parts: dict[str, Any] = {"details": {"queries": answers}, "failed": {LONG: LONG}, "command_line": LONG}
    a, b = (
        report({query: dict.fromkeys(names, v) for query in (LONG, "q")}, settings={"model": LONG * v}, **parts)
        for v in (1, 2)
    )
    yield report_page(a)
    yield comparison_page(compare(a, b))
    many: dict[str, Values] = {f"q{i}": dict.fromkeys(names, 1 / (1 + i)) for i in range(30)}
    yield report_page(report(many, settings={LONG: "x" * 500}))
    yield comparison_page(compared([math.sin(i) / 2 for i in range(5000)]))


def first_pixel(png: bytes) -> tuple[int, ...]:
    """Return the colour of a PNG's upper left pixel: no filter changes it, as nothing stands before it."""
    data, at = b"", 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += 12 + size
    return tuple(zlib.decompress(data)[1:4])


@pytest.mark.parametrize(("scheme", "ground"), [("1", (255, 255, 255)), ("0", (22, 24, 28))], ids=["light", "dark"])
def test_a_browser_shows_it_in_light_and_dark_on_wide_and_narrow_screens(
    tmp_path: Path, scheme: str, ground: tuple[int, ...]
) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no chromium, chromium-browser or google-chrome is installed")
    pages = list(wide_pages())
    frames = (f'<iframe width="{width}" srcdoc="{escape(page)}"></iframe>' for page in pages for width in WIDTHS)
    (tmp_path / "probe.html").write_text(PROBE % "".join(frames), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1100,700"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"--blink-settings=preferredColorScheme={scheme}"]
    command += [f"--screenshot={tmp_path / 'shot.png'}", "--dump-dom", (tmp_path / "probe.html").as_uri()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    found = json.loads(Outline(done.stdout.replace("<iframe", "<b").replace("</iframe>", "</b>")).all("title")[0].text)
    assert [frame["width"] for frame in found] == [*WIDTHS] * len(pages)
    assert [frame["content"] for frame in found] == [*WIDTHS] * len(pages)
    assert found[0]["wide"] >= 1  # and scrolls for itself
    assert all(frame["plot"] >= 100 for frame in found)
    assert {frame["ground"] for frame in found} == {f"rgb{ground}"}
    assert first_pixel((tmp_path / "shot.png").read_bytes()) == ground
