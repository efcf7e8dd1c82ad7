"""Make examples of documentation, by rules: python -m recipes.reader.documentation FOLDER OUTPUT.

FOLDER holds a clone of each repository of REPOSITORIES, called owner+name. A question is made of what a block says:
the default of an option, what an option does, which option does something, how to do something, what something is. It
is kept if the search finds its own block among the first dozen; the others found are the wrong ones.
"""

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from ragcli.analysis.blocks import find_blocks
from ragcli.indexing import IndexOptions, index_files
from ragcli.search import Ranking, Searcher
from ragcli.store import LOCAL, IndexLocation, open_store

# Folders with documentation, under licences that let anyone use it for anything with attribution.
REPOSITORIES = {
    "astral-sh+ruff": ("docs", "MIT"),
    "astral-sh+uv": ("docs", "MIT OR Apache-2.0"),
    "benoitc+gunicorn": ("docs", "MIT"),
    "celery+celery": ("docs", "BSD-3-Clause"),
    "coredns+coredns": ("plugin", "Apache-2.0"),
    "curl+curl": ("docs", "curl"),
    "eslint+eslint": ("docs/src", "MIT"),
    "etcd-io+website": ("content/en/docs/v3.6", "Apache-2.0 and CC BY 4.0"),
    "fastapi+fastapi": ("docs/en/docs", "MIT"),
    "helm+helm-www": ("docs", "Apache-2.0"),
    "jekyll+jekyll": ("docs/_docs", "MIT"),
    "MicrosoftDocs+WSL": ("WSL", "CC BY 4.0"),
    "mkdocs+mkdocs": ("docs", "BSD-2-Clause"),
    "pallets+click": ("docs", "BSD-3-Clause"),
    "pallets+flask": ("docs", "BSD-3-Clause"),
    "PostgREST+postgrest": ("docs", "MIT"),
    "prometheus+docs": ("docs", "Apache-2.0"),
    "prometheus+prometheus": ("docs", "Apache-2.0"),
    "psf+black": ("docs", "MIT"),
    "psf+requests": ("docs", "Apache-2.0"),
    "pypa+pip": ("docs", "MIT"),
    "pytest-dev+pytest": ("doc/en", "MIT"),
    "python+mypy": ("docs", "MIT"),
    "python-poetry+poetry": ("docs", "MIT"),
    "rclone+rclone": ("docs/content", "MIT"),
    "rust-lang+book": ("src", "MIT OR Apache-2.0"),
    "sindresorhus+got": ("documentation", "MIT"),
    "traefik+traefik": ("docs/content", "MIT"),
    "vitejs+vite": ("docs", "MIT"),
}
MOST = 12  # blocks that are searched for
FEWEST = 5
MOST_CHARACTERS = 1_200_000  # of a repository

_SUFFIXES = (".md", ".mdx", ".rst", ".d", ".1")
_SKIPPED = re.compile(r"(?i)changelog|release|news|history|blog|contribut|authors|whatsnew|/zh|/ja/|/pt-br|/old|/\.")
_NAME = re.compile(
    r"(?:[-*+] |#+ |\| ?)?`?\*{0,2}`?(-{0,2}[A-Za-z_][\w.\-/]{2,40})`?\*{0,2}`?(?: +[\[<{(|:–—-]|\s*$|\s*\n|:)"
)
_DEFAULT = re.compile(
    r"(?i)\bdefault(?:s)?(?: value)?(?:\*\*|`)?\s*(?:is|to|:|=)(?:\*\*)?:?\s*(?:\*\*)?\s*"
    r"(`[^`\n]{1,40}`|\"[^\"\n]{1,40}\"|[\w./-]{1,30})"
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"(])|\n\s*\n|\n(?=[-*|#])")
_PURPOSE = re.compile(r"(?:To|If you want to|In order to|You can|You may) ([a-z][^,.:;\n]{12,80})[,.:]")
_IS = re.compile(r"(?:An?|The)? ?([A-Z]?[A-Za-z][\w -]{2,30}?) (?:is|are) (?:an?|the) ")
_POINTING = {"it", "this", "there", "that", "these", "here", "default", "which", "following", "result", "example"}
_VERBS = set(
    """
    add allow append apply build change check close compute configure connect control convert copy create define
    delete determine disable display enable exclude execute export fetch filter force format generate get ignore import
    include indicate install limit list load make move open override parse prevent print raise read register remove
    replace restrict return run save select send set show skip sort specify start stop store suppress tell turn update
    use validate wait write
    """.split()
)
_DEFAULTS = (
    "What is the default of {}?|{} default|What does {} default to?|default value of {}|What is {} set to by default?"
)
_WHATS = "What does {} do?|what is {} for|{}|What is the purpose of {}?|{} meaning|What is {}?|when should I use {}"
_OPTIONS = "Which option can {}?|What option should I use to {}?|option to {}|Which setting lets me {}?|How do I {}?"
_HOWS = "How do I {}?|how to {}|How can I {}?|{}|How do you {}?|I want to {}|is there a way to {}|How would I {}?"
_THINGS = "What is {}?|what is a {}|define {}|what does {} mean|{}"


class Piece(NamedTuple):
    """Hold a block of documentation, the title of its page and what stands above it."""

    title: str
    head: str
    text: str


class Made(NamedTuple):
    """Hold a question, where its answer stands in the block, and by which rule it was made."""

    question: str
    span: tuple[int, int]
    rule: str


def pieces_of(folder: Path) -> Iterator[Piece]:
    """Yield the blocks with eight words or more of the pages in a folder."""
    read = 0
    for file in sorted(folder.rglob("*")):
        if file.suffix not in _SUFFIXES or _SKIPPED.search(str(file)) or read > MOST_CHARACTERS:
            continue
        text = plain(file.read_text(encoding="utf-8", errors="replace"), file.suffix)
        read += len(text)
        found = re.search(r"(?m)^# (.+)$|^(\S.{2,80})\n[=~-]{3,}$", text)
        title = (found[1] or found[2] if found else file.stem).strip(" #`*")
        for block in find_blocks(text):
            content = text[block.start : block.end]
            if len(re.findall(r"[A-Za-z]{2,}", content)) >= 8:
                yield Piece(title, block.head_of(text)[-160:], content)


def plain(text: str, suffix: str) -> str:
    """Take out front matter, comments, pictures, the targets of links, HTML and reStructuredText's roles."""
    text = re.sub(r"\A(---|\+\+\+)\n.*?\n\1\n", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->|\{\{[%<].*?[%>]\}\}|\{%.*?%\}", "", text, flags=re.DOTALL)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]\n]+)\](?:\([^)\n]*\)|\[[^\]\n]*\])", r"\1", text)
    text = re.sub(
        r"</?(?:a|p|br|div|img|span|details|summary|b|i|em|strong|table|tr|td|th|ul|li|h\d|code)\b[^>]*>", "", text
    )
    if suffix == ".rst":
        text = re.sub(r":[\w:+-]+:`~?\.?([^`<]+?)(?:\s*<[^>]*>)?`", r"`\1`", text)
        text = re.sub(r"`([^`<]+?)\s*<[^>]*>`_+", r"\1", text).replace("``", "`")
        text = re.sub(r"(?m)^(\s*)\.\. (?:code-block|code|sourcecode)::.*\n(?:\s+:.*\n)*", "", text)
        text = re.sub(r"(?m)^(\s*)\.\. [\w:-]+:: ?|^\s*\.\. _[^\n]*:\s*$|^\s+:(?:ref|name|class):.*$", r"\1", text)
    return text


def questions_of(piece: Piece, rng: random.Random) -> Iterator[Made]:
    """Yield the questions that the rules make of a block."""

    def put(forms: str, about: str) -> str:
        return rng.choice(forms.split("|")).format(about)

    text = piece.text
    name, body = _named(piece)
    last = piece.head.rpartition(" › ")[2].strip("`*# ")
    default = _DEFAULT.search(text)
    if default and (name or 2 < len(last) < 40):
        yield Made(put(_DEFAULTS, name or last), default.span(), "default")
    sentences = list(_sentences(text, body))[:2]
    if name and sentences and rng.random() < 0.5:
        yield Made(put(_WHATS, name), sentences[0], "what")
    for start, end in sentences:
        sentence = text[start:end].strip(" \n`*:-–—|>#\"'")
        verb = _base(sentence.partition(" ")[0].lower().strip("*`"))
        phrase = _phrase(sentence)
        purpose, thing = _PURPOSE.match(sentence), _IS.match(sentence)
        if verb in _VERBS and phrase and rng.random() < 0.6:
            yield Made(put(_OPTIONS if name else _HOWS, f"{verb} {phrase.partition(' ')[2]}"), (start, end), "verb")
            return
        if purpose and rng.random() < 0.6:
            yield Made(put(_HOWS, re.sub(r"[`*]", "", purpose[1])), (start, end), "purpose")
            return
        if thing and thing[1].lower() not in _POINTING and rng.random() < 0.4:
            yield Made(put(_THINGS, thing[1][0].lower() + thing[1][1:]), (start, end), "is")
            return


def _named(piece: Piece) -> tuple[str, int]:
    """Return the option, key or function that a block is about, if any, and where the text behind its name begins."""
    found = _NAME.match(piece.text)
    if found and re.search(r"[-_.`]", piece.text[found.start() : found.start(1) + 3] + found[1]):
        return found[1], found.end(1)
    last = piece.head.rpartition(" › ")[2].strip("`*# ")
    if re.fullmatch(r"-{0,2}[\w.\-/]{3,40}", last) and re.search(r"[-_.]|[a-z][A-Z]", last):
        return last, 0
    return "", 0


def _sentences(text: str, begin: int) -> Iterator[tuple[int, int]]:
    for sentence in _SENTENCE.split(text[begin:])[:4]:
        start = text.find(sentence, begin)
        if start >= 0 and len(sentence.strip()) > 15:
            yield start, start + len(sentence.rstrip())


def _phrase(sentence: str) -> str:
    """Return the beginning of a sentence up to its first clause, if that is neither too short nor too long."""
    first = re.split(r"[.;:(\n]|, (?:which|so|and|but|e\.g)| — | - | – ", sentence)[0]
    words = re.sub(r"[`*]", "", first).strip(" ,").split()
    return " ".join(words[:12]) if 3 <= len(words) <= 14 else ""


def _base(verb: str) -> str:
    """Return the infinitive of a verb in the third person."""
    if verb.endswith("ies"):
        return f"{verb[:-3]}y"
    if verb.endswith(("sses", "ches", "shes", "xes")):
        return verb[:-2]
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else verb


def examples_of(pieces: Sequence[Piece], name: str, home: Path, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield the examples of a repository."""
    file = home / "blocks.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for number, piece in enumerate(pieces):
            record = {"id": str(number), "title": f"{piece.title} {piece.head}".strip(), "text": piece.text}
            out.write(json.dumps(record) + "\n")
    place = IndexLocation(LOCAL, "blocks", home)
    index_files([file], place, IndexOptions(language="en"))
    with open_store(place) as store:
        searcher = Searcher(store, Ranking(lenient=True))
        for number, piece in enumerate(pieces):
            for made in questions_of(piece, rng):
                found = [int(hit.id) for hit in searcher.search(made.question, k=MOST)]
                wrong = [pieces[other] for other in found if pieces[other].text != piece.text]
                if number in found and len(wrong) >= FEWEST:
                    yield {
                        "id": f"{name}-{number}-{made.rule}", "doc_id": name, "question": made.question,
                        "blocks": [list(piece), *map(list, wrong)], "spans": [list(made.span)],
                        "set": "documentation", "rule": made.rule, "held": False, "hide": False,
                    }  # fmt: skip


def main() -> None:
    """Write documentation.jsonl."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    rng = random.Random(11)
    rules: Counter[str] = Counter()
    given.output.mkdir(parents=True, exist_ok=True)
    with (given.output / "documentation.jsonl").open("w", encoding="utf-8") as out:
        for name, (folder, _) in REPOSITORIES.items():
            pieces = list(dict.fromkeys(pieces_of(given.folder / name / folder)))
            if not pieces:
                raise SystemExit(f"{given.folder / name / folder} holds no pages")
            with TemporaryDirectory() as home:
                for example in examples_of(pieces, name, Path(home), rng):
                    out.write(json.dumps(example, ensure_ascii=False) + "\n")
                    rules[example["rule"]] += 1
            print(name, len(pieces), dict(rules))


if __name__ == "__main__":
    main()
