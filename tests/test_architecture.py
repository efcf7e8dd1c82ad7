"""Read the package's own source: imports point downwards, heavy libraries stay in leaf files, one file prints."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from ragcli.cli import app
from tests.support import COMMANDS, ROOT, environment

# From the bottom up: a file imports only what stands before it. A folder is one file that grew.
ORDER = (
    *(
        "client",
        "errors",
        "counts",
        "files",
        "inputs",
        "settings",
        "analysis",
        "ordering",
        "filters",
        "documents",
        "callbacks",
        "chunking",
    ),
    *("readers", "store", "prompt", "models", "warm", "endpoint", "llama_cpp", "tokenizer", "store_local"),
    *("store_elastic", "templates", "ort", "decoder", "generate", "encoder", "reader"),
    *(
        "encoding",
        "sources",
        "survey",
        "indexing",
        "watching",
        "contents",
        "migration",
        "doctor",
        "search",
        "titles",
        "answer",
        "log",
        "api",
        "evaluate",
        "train",
        "render",
        "serve",
        "mcp",
    ),
    *("cli", "__main__"),
)
# The one circle: the factory of stores imports, when called, what stands above it.
STORES = {("store", "store_local"), ("store", "store_elastic")}
# What the package itself offers, which is imported when it is wanted.
OFFERED = ("__init__", "api")
# The factories: they import, when called, what is heavy and not always wanted.
FACTORIES = {
    *STORES,
    *(("generate", "decoder"), ("encoding", "encoder"), ("search", "encoder"), ("search", "generate")),
    *(("answer", "reader"), ("generate", "endpoint"), ("doctor", "store_elastic")),
    ("search", "reader"),
}
# Each heavy library, and the only files that know it.
OWNERS = {
    "torch": {"decoder", "train"},
    "transformers": {"decoder", "train"},
    "safetensors": {"decoder", "train"},
    "tokenizers": {"tokenizer", "decoder", "encoder", "reader", "train"},
    "onnx": {"ort", "decoder", "encoder"},
    "onnxruntime": {"ort"},
    "elasticsearch": {"store_elastic"},
    "elastic_transport": {"store_elastic"},
    "tantivy": {"store_local"},
    "huggingface_hub": {"models", "decoder"},
    "httpx2": {"endpoint", "readers"},
    "xllamacpp": set(),  # a process of its own imports it
    "numpy": {
        *("store", "store_local", "store_elastic", "encoding"),
        *("generate", "ort", "decoder", "encoder", "reader", "answer", "evaluate", "train"),
    },
    "matplotlib": {"train"},
    "filelock": {"train"},
    "ir_measures": {"evaluate"},
    "scipy": {"evaluate"},
    "jinja2": {"evaluate", "templates"},
    "rapidfuzz": {"analysis", "evaluate", "titles"},
    "yaml": {"readers", "templates"},
    **{name: {"readers"} for name in ("pyromark", "selectolax", "pypdfium2", "python_calamine", "pyarrow")},
    **{name: {"readers"} for name in ("charset_normalizer", "pathspec")},
    "watchfiles": {"watching"},
    "Stemmer": {"analysis"},
    "opencc": {"search"},
    "typer": {"cli"},
    "rich": {"render"},
    **{name: {"serve"} for name in ("starlette", "uvicorn")},
    **{name: {"mcp"} for name in ("mcp", "pydantic")},
    "click": set(),
}
HEAVY = (
    *("torch", "transformers", "onnxruntime", "onnx", "numpy", "scipy", "ir_measures", "matplotlib"),
    *("elasticsearch", "huggingface_hub", "httpx2", "starlette", "uvicorn", "mcp", "pydantic"),
)


class Import(NamedTuple):
    """Hold one import: the file (or folder) that has it, what it names, if it waits for a call, if it is for types."""

    file: str
    package: str
    module: str
    lazy: bool
    typed: bool


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Yield the name of each file, or of the folder that it is in, and its syntax tree."""
    for path in sorted((ROOT / "ragcli").rglob("*.py")):
        name = path.relative_to(ROOT / "ragcli").parts[0].removesuffix(".py")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imports() -> list[Import]:
    return [found for name, tree in sources() for found in _imports(name, tree, lazy=False, typed=False)]


def _imports(name: str, node: ast.AST, lazy: bool, typed: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            package, _, rest = alias.name.partition(".")
            yield Import(name, package, rest.partition(".")[0], lazy, typed)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{name}: a relative import"
        package, _, rest = str(node.module).partition(".")
        modules = [rest.partition(".")[0]] if rest else [alias.name for alias in node.names]
        yield from (Import(name, package, module, lazy, typed) for module in modules)
    inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from _imports(name, child, lazy or inside, typed or _for_types(node))


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def own_imports() -> list[Import]:
    """Return the imports of the package's own files; of the package itself it is the version."""
    return [
        found
        for found in imports()
        if found.package == "ragcli" and found.module in ORDER and found.module != found.file
    ]


def test_every_file_has_its_place_in_the_order() -> None:
    assert {name for name, _ in sources()} - {"__init__"} == set(ORDER)


def test_imports_point_downwards() -> None:
    """Types that only a checker imports count as well; with one order there are no cycles."""
    upward = {
        (i.file, i.module) for i in own_imports() if i.file not in ORDER or ORDER.index(i.module) > ORDER.index(i.file)
    }
    assert upward == {*STORES, OFFERED}
    assert all(i.lazy or i.typed for i in own_imports() if (i.file, i.module) in upward)


def test_files_import_each_other_in_no_circle() -> None:
    """Also within a room, and also for types; only what a factory imports when it is called may lead back."""
    paths = {_dotted(path): path for path in (ROOT / "ragcli").rglob("*.py")}
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in paths.items()}
    graph = {
        name: {inner if inner in paths else outer for outer, inner in _named_by(tree)} & paths.keys() - {name}
        for name, tree in trees.items()
    }
    assert list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _named_by(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield what a file imports without being called: the module, and with the name that may be a module in it."""
    if isinstance(node, ast.ImportFrom):
        yield from ((str(node.module), f"{node.module}.{alias.name}") for alias in node.names)
    if not isinstance(node, ast.FunctionDef | ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _named_by(child)


@pytest.mark.parametrize("folder", ["ragcli", "recipes"])
def test_no_file_is_longer_than_400_lines(folder: str) -> None:
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_only_command_bodies_and_factories_import_lazily() -> None:
    lazy = {(i.file, i.module) for i in own_imports() if i.lazy}
    assert {file for file, _ in lazy - FACTORIES} <= {"cli", "__main__"}


def test_heavy_libraries_stay_where_they_belong() -> None:
    strays = {(i.file, i.package) for i in imports() if i.package in OWNERS and i.file not in OWNERS[i.package]}
    assert strays == set()
    used = {(i.package, i.file) for i in imports()}
    assert {
        (package, file) for package, files in OWNERS.items() for file in files
    } - used == set()  # none is of the past


def command_files() -> list[Path]:
    """Return the files that hold commands: not the options, their rules and origins, and where errors are caught."""
    return [
        path
        for path in (ROOT / "ragcli" / "cli").glob("*.py")
        if path.stem not in ("__init__", "options", "writing", "checks", "origins")
    ]


@pytest.mark.parametrize("path", command_files(), ids=lambda path: path.stem)
def test_commands_have_no_loop_and_no_try_and_touch_no_file(path: Path) -> None:
    """A command is settings → open → one core call → render."""
    loops = (ast.For, ast.While, ast.Try, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, loops)] == []
    touching = ("read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "unlink")
    files = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in touching]
    assert [node.lineno for node in files] == []


def test_only_render_writes_to_stdout() -> None:
    writers = {name for name, tree in sources() for node in ast.walk(tree) if _is_stdout(node) or _calls(node, "print")}
    assert writers == {"render", "cli"}  # cli flushes it, and mends it where it is closed
    cli = next(tree for name, tree in sources() if name == "cli")
    assert not any(isinstance(node, ast.Attribute) and node.attr == "write" for node in ast.walk(cli))


def test_nothing_asks_a_question() -> None:
    asking = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        for word in ("input", "prompt", "confirm", "getpass")
        if _calls(node, word)
    }
    assert asking == {"render"}  # the lines of chat, and only where both ends are a terminal


def test_errors_are_caught_by_name() -> None:
    """Some errors have no name to import: a bare Exception of tokenizers, a Rust panic of tantivy and calamine."""
    handlers = {(name, ast.unparse(node.type) if node.type else "") for name, node in _handlers()}
    broad = {(name, kind) for name, kind in handlers if kind in ("", "Exception", "BaseException")}
    assert broad <= {("tokenizer", "Exception"), ("store_local", "BaseException"), ("readers", "BaseException")}


def _handlers() -> Iterator[tuple[str, ast.ExceptHandler]]:
    return ((name, node) for name, tree in sources() for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))


def test_every_command_is_known_to_the_tests() -> None:
    assert set(_command_names(typer.main.get_command(app))) == set(COMMANDS)


def _command_names(group: Any, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _command_names(command, f"{before}{name} ")
        else:
            yield before + name


def _is_stdout(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.stdout"


def _calls(node: ast.AST, function: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    return name == function


# What a process has loaded


def loaded_after(*lines: list[str], code: int = 0) -> set[str]:
    """Run command lines in one process, of which the last ends with `code`; return the packages it has loaded then."""
    program = (
        "import sys\nfrom ragcli.cli import main\n"
        f"codes = [main(line) for line in {list(lines)!r}]\n"
        f"assert codes[-1] == {code} and not any(codes[:-1]), codes\n"
        "sys.stderr.write(' '.join({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment({}), check=True, capture_output=True, text=True
    )
    return set(done.stderr.split())


def test_help_loads_no_engine() -> None:
    loaded = loaded_after(["--help"], ["--version"], *([*name.split(), "--help"] for name in COMMANDS))
    assert loaded.isdisjoint((*HEAVY, "tantivy", "rich", "Stemmer"))


@pytest.mark.parametrize("format", ["table", "json"])
def test_index_and_keyword_search_load_no_numpy_and_no_model(corpus: Path, format: str) -> None:
    loaded = loaded_after(["index", str(corpus)], ["search", "owl", "--format", format])
    assert loaded.isdisjoint(HEAVY)
    assert "tantivy" in loaded


def test_abstaining_loads_no_model(corpus: Path) -> None:
    loaded = loaded_after(["index", str(corpus)], ["ask", "owl", "--min-score", "99"], code=4)
    assert loaded.isdisjoint({"torch", "transformers"})


def test_generating_with_gpt2_loads_neither_torch_nor_transformers() -> None:
    model = str(ROOT / "ragcli" / "small_gpt2")
    loaded = loaded_after(["generate", "Once", "--model", model, "--max-new-tokens", "3", "--format", "json"])
    assert "onnxruntime" in loaded and loaded.isdisjoint({"torch", "transformers"})
