"""Refuse meaningless combinations of options before any work; the rules of all commands are here.

Only options on the command line are refused. Values from the environment or the settings file are ignored instead.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import typer

from ragcli.cli.options import RANKING, is_given
from ragcli.cli.writing import GENERATION, MODEL
from ragcli.errors import UsageError


class Rule(Protocol):
    """A rule on combinations of options."""

    def check(self, context: typer.Context) -> None:
        """Raise UsageError if the command line breaks the rule."""


class OneOf(NamedTuple):
    """Require exactly one of several options or arguments."""

    names: tuple[str, ...]
    message: str
    hint: str

    def check(self, context: typer.Context) -> None:
        """Raise UsageError for none or several of them."""
        if sum(context.params[name] is not None for name in self.names) != 1:
            raise UsageError(self.message, f"{self.hint} Try: {context.command_path} --help")


class AnyOf(NamedTuple):
    """Require at least one of several options or arguments."""

    names: tuple[str, ...]
    message: str
    hint: str

    def check(self, context: typer.Context) -> None:
        """Raise UsageError for none of them."""
        if not any(context.params[name] for name in self.names):
            raise UsageError(self.message, self.hint)


class Needs(NamedTuple):
    """Require another option for options that have no effect without it."""

    names: Sequence[str]
    other: str

    def check(self, context: typer.Context) -> None:
        """Raise UsageError for one of them without the other."""
        if context.params[self.other]:
            return
        for name in self.names:
            if is_given(context, name):
                one, other = _label(context, name), _label(context, self.other)
                raise UsageError(f"{one} has no effect without {other}", f"Add {other}, or leave out {one}.")


class Excludes(NamedTuple):
    """Refuse options together with another one, or with some of its values."""

    names: Sequence[str]
    other: str
    values: tuple[object, ...] = ()
    hint: str = "Leave one of them out."

    def check(self, context: typer.Context) -> None:
        """Raise UsageError for one of them together with the other."""
        value = context.params[self.other]
        if not is_given(context, self.other) or (self.values and value not in self.values):
            return
        for name in self.names:
            if is_given(context, name):
                other = f"{_label(context, self.other)} {value}" if self.values else _label(context, self.other)
                raise UsageError(f"{other} and {_label(context, name)} do not go together", self.hint)


class OnlyOwn(NamedTuple):
    """Refuse options that only models get that ragcli runs itself, wherever a server's address or the model is set."""

    servers: Sequence[str] = ("precision", "top_k", "min_p", "no_repeat_ngram_size", "repetition_penalty")
    gguf: Sequence[str] = ("precision", "no_repeat_ngram_size")

    def check(self, context: typer.Context) -> None:
        """Raise UsageError for one of them with a server or a GGUF file."""
        given = [name for name in self.servers if is_given(context, name)]
        if given and context.params["base_url"]:
            hint = "It gets --max-new-tokens, --temperature, --top-p, --seed and --schema. Leave out the other."
            raise UsageError(f"{_label(context, given[0])} has no effect on the model of a server", hint)
        for name in self.gguf:
            if name in given and _is_gguf(context.params["model"]):
                raise UsageError(f"{_label(context, name)} has no effect on a GGUF file", "Leave it out.")


_EXTRACTIVE = ("grounded",)  # styles without a prompt

INDEX: tuple[Rule, ...] = (Excludes(("dry_run",), "watch"),)
SEARCH: tuple[Rule, ...] = (
    OneOf(
        ("query", "like", "like_file"),
        "give exactly one thing to search for",
        "That is a query, --like ID, or --like-file FILE.",
    ),
)
_VALUES = Needs(("set",), "template")
_OWN = OnlyOwn()
GENERATE: tuple[Rule, ...] = (Excludes(("num_return_sequences",), "lines"), _VALUES, _OWN)
CHAT: tuple[Rule, ...] = (Excludes(("template",), "style", _EXTRACTIVE), _VALUES, _OWN)
ASK: tuple[Rule, ...] = (
    OneOf(("question", "batch"), "give exactly one thing to answer", "That is a question, or --batch FILE."),
    Needs(("output", "resume", "rejects"), "batch"),
    Needs(("resume",), "output"),
    Excludes(("dry_run", "show_sources", "open_first", "go_on"), "batch"),
    Excludes(("dry_run",), "go_on"),
    Excludes(("open_first",), "dry_run"),
    Excludes(("dry_run", "template"), "style", _EXTRACTIVE),
    _VALUES,
    Excludes(("evidence", "strict"), "style", ("grounded", "copy")),
    Excludes(("strict",), "schema"),
    _OWN,
)
REVIEW: tuple[Rule, ...] = (Excludes(("dry_run", "template"), "style", _EXTRACTIVE), _VALUES, _OWN)
SUMMARIZE: tuple[Rule, ...] = (
    AnyOf(
        ("file", "query"), "there is nothing to summarize", "Give a file, or --query TEXT to summarize from the index."
    ),
    Excludes(("k", "index", "store", *RANKING), "file"),
    Needs(("rejects",), "file"),
    Needs(("set", *MODEL, *GENERATION), "template"),
    _OWN,
)
TRAIN: tuple[Rule, ...] = (
    AnyOf(("output", "dry_run"), "the new model has no name", "Name it: --output NAME."),
    Excludes(("resume",), "dry_run"),
    Excludes(("model", "extend_vocabulary"), "from_scratch"),
    Excludes(
        ("where", "dry_run", "context_length", "accumulate", "dropout", "extend_vocabulary", "from_scratch", "compile"),
        "reader",
    ),
    Needs(("layers", "heads", "width", "vocabulary"), "from_scratch"),
)
_HTTP = ("host", "port", "allow_host", "threads", "waiting", "mode", "index", "store", "ca_certs", "model")
SERVE: tuple[Rule, ...] = (
    Needs(("idle",), "background"),
    Excludes(_HTTP, "background", hint="In the background it serves every index, to commands of this user only."),
    Excludes(("background", *_HTTP), "stop"),
)
EVAL_RETRIEVAL: tuple[Rule, ...] = (
    Excludes(("queries", "index", "encoder", "passage_size", "limit", "keep_going", *RANKING), "run"),
    Needs(("max_drop",), "baseline"),
)
EVAL_ANSWERS: tuple[Rule, ...] = (
    Excludes(
        (
            *("encoder", "min_score", "style", "min_confidence", "reader", "baseline_answers", "keep_going"),
            *("evidence", "strict"),
            *(*RANKING, *MODEL, *GENERATION),
        ),
        "answers",
    ),
    Needs(("max_drop",), "baseline"),
    _OWN,
)
EVAL_PERPLEXITY: tuple[Rule, ...] = (Needs(("max_drop",), "baseline"),)


def _is_gguf(model: str | None) -> bool:
    from ragcli.models import is_gguf

    return model is not None and is_gguf(model)


def check(context: typer.Context, rules: Sequence[Rule]) -> None:
    """Raise UsageError for the first rule that the command line breaks."""
    for rule in rules:
        rule.check(context)


def check_outputs(*paths: Path | None) -> None:
    """Raise UsageError for files that could not be written, before the work is done."""
    for path in paths:
        if path and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise UsageError(f"cannot write {path}", "Name a file in a folder that exists.")


def _label(context: typer.Context, name: str) -> str:
    """Return a parameter as a user writes it."""
    [parameter] = [one for one in context.command.params if one.name == name]
    return max(parameter.opts, key=len) if parameter.param_type_name == "option" else parameter.human_readable_name
