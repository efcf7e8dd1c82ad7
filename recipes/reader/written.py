"""Make examples of the questions in written.jsonl: python -m recipes.reader.written CLONES OUTPUT [--language zh].

CLONES holds a clone of each repository of REPOSITORIES or CHINESE, called owner+name. written.jsonl here has
English questions as people type them, written.zh.jsonl Chinese ones, written for blocks of the documentation of these
projects: the block that answers, by how it begins, and the words in it that decide; or no block, if nothing on the page
answers. The other blocks of an example are those that the product's search finds.
"""

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from ragcli.analysis.analyzer import analyzer
from ragcli.answer.blocks import blocks_of
from ragcli.answer.candidates import Candidate
from ragcli.answer.fitted import fitted
from ragcli.answer.judge import judge
from ragcli.indexing import IndexOptions, index_files
from ragcli.search import Ranking, Searcher
from ragcli.store import LOCAL, IndexLocation, Store, open_store
from recipes.reader.sets import read

QUESTIONS = {"en": Path(__file__).with_name("written.jsonl"), "zh": Path(__file__).with_name("written.zh.jsonl")}
# Folders with pages, and the licence of these.
REPOSITORIES = {
    "18F+handbook": ("pages", "CC0"),
    "BurntSushi+ripgrep": (".", "MIT OR Unlicense"),
    "MicrosoftDocs+PowerShell-Docs": (
        "reference/docs-conceptual reference/7.5/Microsoft.PowerShell.Core/About",
        "CC BY 4.0",
    ),
    "MicrosoftDocs+WSL": ("WSL", "CC BY 4.0"),
    "OpenRefine+openrefine.org": ("docs", "CC BY 4.0"),
    "PaperMC+docs": ("src/content/docs", "CC BY-SA 4.0"),
    "PostgREST+postgrest": ("docs", "MIT"),
    "TanStack+query": ("docs/framework/react docs/eslint", "MIT"),
    "aio-libs+aiohttp": ("docs", "Apache-2.0"),
    "alphagov+govuk-developer-docs": ("source", "MIT"),
    "ankitects+anki-manual": ("src", "CC BY-SA 4.0"),
    "argoproj+argo-cd": ("docs/user-guide docs/operator-manual", "Apache-2.0"),
    "astral-sh+ruff": ("docs", "MIT"),
    "borgbackup+borg": ("docs", "BSD-3-Clause"),
    "caddyserver+website": ("src/docs/markdown", "Apache-2.0"),
    "cert-manager+website": ("content/docs", "Apache-2.0"),
    "certbot+certbot": ("certbot/docs", "Apache-2.0"),
    "crossplane+docs": ("content/v2.3", "Apache-2.0"),
    "dask+dask": ("docs/source", "BSD-3-Clause"),
    "denoland+docs": ("runtime deploy examples/tutorials", "MIT"),
    "docling-project+docling": ("docs", "MIT"),
    "electron+electron": ("docs/tutorial docs/api docs/development", "MIT"),
    "encode+django-rest-framework": ("docs", "BSD-3-Clause"),
    "encode+httpx": ("docs", "BSD-3-Clause"),
    "eslint+eslint": ("docs/src", "MIT"),
    "etcd-io+website": ("content/en/docs/v3.6", "Apache-2.0 and CC BY 4.0"),
    "expressjs+expressjs.com": ("src/content/docs/en src/content/pages/en", "CC BY 4.0"),
    "fastapi+fastapi": ("docs/en/docs", "MIT"),
    "github+opensource.guide": ("_articles", "CC BY 4.0"),
    "gohugoio+hugoDocs": ("content/en", "Apache-2.0"),
    "golang+website": ("_content/doc", "BSD-3-Clause"),
    "jekyll+jekyll": ("docs/_docs", "MIT"),
    "jupyterhub+jupyterhub": ("docs", "BSD-3-Clause"),
    "kedacore+keda-docs": ("content/docs/2.21", "Apache-2.0"),
    "laravel+docs": (".", "MIT"),
    "mitmproxy+mitmproxy": ("docs/src", "MIT"),
    "mkdocs+mkdocs": ("docs", "BSD-2-Clause"),
    "nushell+nushell.github.io": ("book cookbook", "MIT"),
    "pallets+click": ("docs", "BSD-3-Clause"),
    "phoenixframework+phoenix": ("guides", "MIT"),
    "pnpm+pnpm.io": ("docs", "MIT"),
    "psf+black": ("docs", "MIT"),
    "pydantic+pydantic": ("docs", "MIT"),
    "pypa+pip": ("docs", "MIT"),
    "pypa+setuptools": ("docs", "MIT"),
    "python+mypy": ("docs", "MIT"),
    "python-poetry+poetry": ("docs", "MIT"),
    "rust-lang+book": ("src", "MIT OR Apache-2.0"),
    "sindresorhus+got": ("documentation", "MIT"),
    "sourcegraph+handbook": ("content", "Apache-2.0"),
    "sphinx-doc+sphinx": ("doc/usage doc/extdev doc/tutorial doc/man", "BSD-2-Clause"),
    "sqlalchemy+sqlalchemy": ("doc/build/orm doc/build/core doc/build/faq", "MIT"),
    "starship+starship": ("docs", "ISC"),
    "sveltejs+svelte": ("documentation/docs", "MIT"),
    "swcarpentry+git-novice": ("episodes", "CC BY 4.0"),
    "swcarpentry+shell-novice": ("episodes", "CC BY 4.0"),
    "syncthing+docs": (".", "CC BY 4.0"),
    "tauri-apps+tauri-docs": ("src/content/docs", "MIT OR Apache-2.0"),
    "tox-dev+tox": ("docs", "MIT"),
    "traefik+traefik": ("docs/content", "MIT"),
    "vitejs+vite": ("docs", "MIT"),
    "vuejs+docs": ("src/guide src/api src/about src/style-guide", "CC BY 4.0"),
    "wagtail+wagtail": (
        "docs/advanced_topics docs/reference docs/topics docs/getting_started docs/deployment",
        "BSD-3-Clause",
    ),
    "yiisoft+yii2": ("docs/guide", "BSD-3-Clause"),
}
CHINESE = {
    "InternLM+lmdeploy": ("docs/zh_cn", "Apache-2.0"),
    "KaiserY+trpl-zh-cn": ("src", "MIT"),
    "alibaba+arthas": ("site/docs/doc", "Apache-2.0"),
    "ant-design+ant-design": ("docs components", "MIT"),
    "apache+apisix": ("docs/zh/latest", "Apache-2.0"),
    "apache+dolphinscheduler": ("docs/docs/zh", "Apache-2.0"),
    "apache+iotdb-docs": ("src/zh/UserGuide/latest", "Apache-2.0"),
    "apache+seatunnel": ("docs/zh", "Apache-2.0"),
    "cloudwego+cloudwego.github.io": ("content/zh/docs", "Apache-2.0"),
    "eggjs+egg": ("site/docs", "MIT"),
    "fastapi+fastapi": ("docs/zh/docs", "MIT"),
    "hyperf+hyperf": ("docs/zh-cn", "MIT"),
    "modelscope+ms-swift": ("docs/source", "Apache-2.0"),
    "nonebot+nonebot2": ("website/docs", "MIT"),
    "pingcap+docs-cn": (".", "CC BY-SA 3.0"),
    "reactjs+zh-hans.react.dev": ("src/content", "CC BY 4.0"),
    "umijs+umi": ("docs/docs/docs", "MIT"),
}
# Their questions are not learnt from.
HELD = {
    "apache+dolphinscheduler",
    "borgbackup+borg",
    "expressjs+expressjs.com",
    "nushell+nushell.github.io",
    "nonebot+nonebot2",
    "python+mypy",
    "sourcegraph+handbook",
    "wagtail+wagtail",
}
MOST = 14  # wrong blocks
PASSAGES = 10  # that these are taken from
SAME = 0.7  # share of the words of a block in the right one from which on it is neither right nor wrong

_WORD = re.compile(r"\w+")


class Page(NamedTuple):
    """Hold the blocks of a page in order."""

    id: str
    blocks: list[Candidate]

    def block(self, begin: str) -> Candidate | None:
        """Return the block that begins so, whatever the white space."""
        return next((block for block in self.blocks if flat(block.text).startswith(begin)), None)


def flat(text: str) -> str:
    """Return a text with single spaces."""
    return " ".join(text.split())


def examples(
    clones: Path, repo: str, questions: Sequence[dict[str, Any]], home: Path, language: str = "en"
) -> Iterator[dict[str, Any]]:
    """Yield the examples of a repository."""
    place = IndexLocation(LOCAL, "written", home)
    paths = (CHINESE if language == "zh" else REPOSITORIES)[repo][0]
    folders = [clones / repo / folder for folder in paths.split()]
    index_files(folders, place, IndexOptions(language=language, encoder=None if language == "zh" else "minilm"))
    with open_store(place) as store:
        searcher = Searcher(store, Ranking(), tell_spelling=False)
        for name, asked in groupby(questions, key=lambda question: question["page"]):
            page = read_page(store, f"{clones / repo}/{name}", language)
            for question in asked:
                made = example(question, page, searcher)
                if made:
                    yield made | {"set": "written", "doc_id": repo, "held": repo in HELD, "hide": False}


def read_page(store: Store, doc_id: str, language: str) -> Page:
    """Return a page by its id."""
    return Page(doc_id, [block for hit in store.passages(doc_id) for block in blocks_of(hit, 0, language)])


def example(question: dict[str, Any], page: Page, searcher: Searcher) -> dict[str, Any] | None:
    """Return an example, with the wrong blocks first that share most with the question; None if its block is gone."""
    text, language = question["question"], searcher.language
    if "block" not in question:
        wanted = words_of(text, language)
        near = sorted(page.blocks, key=lambda block: -len(wanted & words_of(f"{block.head} {block.text}", language)))
        return {"question": text, "blocks": [["", block.head, block.text] for block in near[:MOST]], "spans": []}
    right = page.block(question["block"])
    span = right and re.search(r"\s+".join(map(re.escape, question["words"].split())), right.text)
    if not right or not span:
        return None
    judged = judge(text, searcher.search(text, PASSAGES), searcher.store)
    scores = fitted(language).ranking.scores(judged.features).tolist()
    ordered = sorted(zip(scores, judged.candidates, strict=True), key=lambda pair: -pair[0])
    also = [page.block(begin) for begin in question.get("also", ())]
    given = {flat(block.text) for block in (right, *also) if block}
    others = (block for _, block in ordered if flat(block.text) not in given)
    wrong = [block for block in others if not alike(block.text, right.text, language)]
    return {
        "question": text,
        "blocks": [["", block.head, block.text] for block in (right, *wrong[:MOST])],
        "spans": [list(span.span())],
    }


def words_of(text: str, language: str) -> set[str]:
    """Return the words of a text in small letters, of a Chinese one the terms of the search."""
    return set(analyzer(language).stems(text) if language == "zh" else _WORD.findall(text.lower()))


def alike(text: str, right: str, language: str) -> bool:
    """Tell whether a block says so much of what the right one says that it may be right as well."""
    words, others = words_of(text, language), words_of(right, language)
    return len(words & others) > SAME * min(len(words), len(others)) + 1


def main() -> None:
    """Write written.jsonl."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("clones", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--language", choices=tuple(QUESTIONS), default="en")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    with (given.output / "written.jsonl").open("w", encoding="utf-8") as out:
        for repo, questions in groupby(read(QUESTIONS[given.language]), key=lambda question: question["repo"]):
            with TemporaryDirectory() as home:
                asked = list(questions)
                made = list(examples(given.clones, repo, asked, Path(home), given.language))
            for one in made:
                out.write(json.dumps(one, ensure_ascii=False) + "\n")
            print(repo, len(made), "of", len(asked))


if __name__ == "__main__":
    main()
