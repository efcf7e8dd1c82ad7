"""The server's page in a real browser: typed in, clicked through, used by keyboard alone, judged by axe."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serving import server, world
from tests.support import run_process, write_lines

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", reason="the page is tried only where playwright is installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("the page is tried only where there is a Chromium", allow_module_level=True)

HOSTILE = "<img src=x onerror=alert(1)><b>bold</b> 𝔘𝔫𝔦 &amp;"
DOCUMENTS = (
    {
        "id": "owl",
        "title": "Birds › The owl",
        "text": f"{HOSTILE}\n\nAn owl sleeps by day and hunts by night.",
        "year": 5,
    },
    {"id": "fly", "title": "Pipes", "text": "Flies have pipes:\n\n```\nfly | owl\n\nfly\n```\n\nThey buzz.", "year": 1},
    {"id": "cat", "title": "The cat", "text": "A cat sleeps by day and by night.", "year": 9},
    {"id": "zebra", "title": f"Zebra \u202e{'x' * 10_000}", "text": "A zebra\u202e has stripes.\r\nIt eats grass."},
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    write_lines(folder / "corpus.jsonl", *DOCUMENTS)
    assert run_process("index", folder / "corpus.jsonl", "--no-encoder", env=world(folder)).code == 0
    with server(env=world(folder)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: "Browser", address: str) -> "Iterator[Page]":
    context = browser.new_context(color_scheme=request.param, locale="en-US", viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.set_default_timeout(30_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.goto(address)
    page.wait_for_selector("#about:not(:empty)")
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390  # nothing is wider than a phone
    context.close()
    assert [text for text in wrong if not re.search("status of 40[04]", text)] == []


def violations(page: "Page") -> list[str]:
    """Return what axe finds; its own script is let in by the test, not by the page."""
    from axe_playwright_python.base import AXE_FILE_PATH  # type: ignore[import-untyped]

    page.evaluate(Path(AXE_FILE_PATH).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then(r => r.violations.map(v => `${v.id}: ${v.nodes.map(n => n.html)}`))")
    return list(found)


def test_a_question_is_answered_and_its_source_shown_with_the_cited_words(page: "Page") -> None:
    page.fill("#query", "When does an owl hunt?")
    page.press("#query", "Enter")
    page.click(".cite")
    page.wait_for_selector("#document[open] mark")
    dialog = page.locator("#document")
    assert dialog.locator("mark").all_inner_texts() == [DOCUMENTS[0]["text"]]  # by characters, not by UTF-16
    assert (page.inner_text("#document-path"), page.inner_text("#document-title")) == ("Birds", "The owl")
    assert HOSTILE in page.inner_text("#document-text")
    assert page.locator("#document img, #document b").count() == 0
    assert violations(page) == []
    page.click("#close")
    assert not dialog.is_visible()
    assert violations(page) == []


def test_a_title_neither_fills_the_page_nor_turns_around(page: "Page") -> None:
    page.click("#tab-search")
    page.fill("#query", "zebra")
    page.wait_for_selector(".hit")
    title = page.locator(".hit .title").first
    assert title.inner_text().startswith("Zebra \ufffdxxx")
    for shown in (title, page.locator("#document-title")):
        page.locator(".hit").first.click()
        box = shown.bounding_box()
        assert box and box["height"] < 250
        assert page.inner_text("#document-text mark").replace("\r", "") == "A zebra\ufffd has stripes.\nIt eats grass."
        page.keyboard.press("Escape")


def test_everything_goes_by_the_keyboard(page: "Page") -> None:
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowRight")  # of the tabs
    assert page.get_attribute("#tab-search", "aria-selected") == "true"
    page.keyboard.press("Tab")
    page.keyboard.type("sleeps")  # and no Enter
    page.wait_for_selector(".hit >> nth=1")
    assert violations(page) == []
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    chosen = page.evaluate("document.activeElement.querySelector('.title').textContent")
    page.keyboard.press("Enter")
    page.wait_for_selector("#document[open]")
    assert page.inner_text("#document-title") == chosen
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "hit"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"


def test_filters_leave_out_documents(page: "Page") -> None:
    page.click("#tab-search")
    page.click("summary")
    assert "year" in page.inner_text("#fields")
    page.fill("#where", "year>=7, id=cat")
    page.fill("#query", "sleeps")
    page.wait_for_selector(".hit")
    assert page.locator(".hit .title").all_inner_texts() == ["The cat"]
    page.fill("#where", "color=red")
    page.press("#query", "Enter")
    page.wait_for_selector("text=has a field")


def test_columns_and_code_keep_their_layout(page: "Page") -> None:
    page.click("#tab-search")
    page.fill("#query", "pipes")
    page.click(".hit")
    page.wait_for_selector("#document[open]")
    assert page.evaluate("document.querySelector('#document-text').textContent") == DOCUMENTS[1]["text"]
    code = page.evaluate("document.querySelector('#document-text .code').textContent")
    assert code.strip() == "```\nfly | owl\n\nfly\n```"


def test_filters_are_chosen_and_counted(page: "Page") -> None:
    page.fill("#query", "What sleeps by day and by night?")
    page.click("summary")
    page.click(".field >> text=year")
    page.keyboard.type("9")
    assert (page.input_value("#where"), page.inner_text("#filters")) == ("year=9", "Filters (1)")
    page.keyboard.press("Enter")
    page.wait_for_selector(".source .title")
    assert page.locator(".source .title").all_inner_texts() == ["The cat"]
    page.fill("#where", "title=The cat, and others, year>=7")
    assert page.inner_text("#filters") == "Filters (2)"


def test_the_address_keeps_what_was_asked(page: "Page") -> None:
    page.fill("#query", "When does an owl hunt?")
    page.press("#query", "Enter")
    page.wait_for_selector(".answer .sources")
    page.click("#tab-search")
    page.fill("#query", "sleeps")
    page.wait_for_url(lambda url: "q=sleeps" in url)
    page.reload()
    page.wait_for_selector(".hit >> nth=1")
    assert page.input_value("#query") == "sleeps"
    page.go_back()
    page.wait_for_selector(".answer .sources")
    assert page.input_value("#query") == "When does an owl hunt?"


def test_a_conversation_goes_on_and_a_review_is_composed(page: "Page") -> None:
    page.click("#tab-chat")
    for question in ("When does an owl hunt?", "And when does it sleep?"):
        page.fill("#query", question)
        page.press("#query", "Enter")
        page.wait_for_selector(f".said:has-text('{question}') + .answer .sources")
    assert page.locator(".said").count() == 2
    page.click("#tab-review")
    page.fill("#query", "The cat")
    page.press("#query", "Enter")
    page.wait_for_selector(".sources")
    assert "A cat sleeps by day and by night." in page.inner_text(".answer")
    page.fill("#query", "Quite another film")
    page.press("#query", "Enter")
    page.wait_for_selector("text=Nothing found.")


def test_the_page_speaks_chinese(page: "Page") -> None:
    page.click("#language")
    assert page.get_attribute("html", "lang") == "zh-CN"
    assert page.locator("[role=tab]").all_inner_texts() == ["提问", "搜索", "对话", "影评"]
    assert page.get_attribute("#query", "placeholder") == "请输入问题"
    page.reload()
    page.wait_for_selector("text=篇文档")
    words = (
        page.inner_text("body")
        .replace("ragcli", "")
        .replace("knowledge_base", "")
        .replace("English", "")
        .replace("Esc", "")
    )
    assert re.findall(r"[A-Za-z]{3,}", words) == []
    assert violations(page) == []


def test_a_token_is_asked_for_once(browser: "Browser", tmp_path: Path) -> None:
    write_lines(tmp_path / "corpus.jsonl", *DOCUMENTS)
    assert run_process("index", tmp_path / "corpus.jsonl", "--no-encoder", env=world(tmp_path)).code == 0
    with server(env={**world(tmp_path), "RAGCLI_TOKEN": "secret"}) as address:
        page = browser.new_page()
        page.goto(address)
        page.fill("#token", "secret")
        page.press("#token", "Enter")
        page.wait_for_selector("#about:not(:empty)")
        page.close()
