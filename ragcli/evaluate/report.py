"""Reports of measurements, with their test set and settings, and the limits of a gate."""

import hashlib
import math
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ragcli import __version__
from ragcli.errors import RagcliError, UsageError

Values = dict[str, float | None]  # by measure; None if a measure is not defined

# Costs of a measurement. They are reported, but not compared with a baseline, because they vary.
COSTS = frozenset({"mean_seconds", "mean_tokens"})
_LOWER_IS_BETTER = frozenset({"perplexity", "bits_per_byte"}) | COSTS
_ROUNDING = 1e-9


class Report(NamedTuple):
    """Hold a measurement. `skipped` are counts of what was not measured, `failed` reasons by query id."""

    command: str
    version: str
    data: dict[str, Any]
    settings: dict[str, Any]
    queries: int
    metrics: Values
    per_query: dict[str, Values]
    skipped: dict[str, int]
    failed: dict[str, str]
    details: dict[str, Any]
    machine: dict[str, Any]
    seconds: float
    command_line: str = ""


class Crossing(NamedTuple):
    """Hold a measure that crossed a limit, its value, the limit, and the origin of the limit."""

    measure: str
    value: float
    line: float
    source: str


class Gate(NamedTuple):
    """Hold the limits of a report by measure: a minimum, or a maximum for measures of loss."""

    least: Mapping[str, float] = {}
    baseline: Report | None = None
    max_drop: float = 0.0


def machine() -> dict[str, Any]:
    """Describe the machine, without its name."""
    return {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()} | {
        "python": platform.python_version()
    }


def printable(name: str) -> str:
    """Return a name from the command line with invalid UTF-8 escaped, for JSON."""
    return name.encode("utf-8", "backslashreplace").decode()


def describe_file(path: Path) -> dict[str, Any]:
    """Return a file's name and the SHA-256 of its bytes."""
    with path.open("rb") as file:
        return {"file": printable(path.name), "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def new_report(command: str, **parts: Any) -> Report:
    """Return a report of this version and machine; `parts` are the other fields, empty ones may be missing."""
    empty: dict[str, Any] = {"skipped": {}, "failed": {}, "details": {}}
    return Report(command=command, version=__version__, machine=machine(), **(empty | parts))


def write_report(path: Path, report: Report) -> None:
    """Write a report as JSON, for a later comparison or baseline."""
    path.write_bytes(orjson.dumps(report._asdict(), option=orjson.OPT_INDENT_2) + b"\n")


def read_report(path: Path) -> Report:
    """Read a report. Raises RagcliError for other files."""
    hint = "Make one: ragcli eval … --report FILE"
    try:
        fields = orjson.loads(path.read_bytes())
        report = Report(**fields)
    except OSError as e:
        raise RagcliError(f"cannot read {path}: {e.strerror}", hint) from e
    except (orjson.JSONDecodeError, TypeError) as e:
        raise RagcliError(f"{path} is not a report of ragcli eval", hint) from e
    if not isinstance(report.metrics, dict) or not isinstance(report.per_query, dict):
        raise RagcliError(f"{path} is not a report of ragcli eval", hint)
    return report


def parse_lines(expressions: Iterable[str]) -> dict[str, float]:
    """Return the limits of `MEASURE=VALUE` expressions. Raises UsageError for invalid ones."""
    lines = {}
    for expression in expressions:
        name, equals, value = expression.rpartition("=")
        try:
            line = float(value)
        except ValueError:
            line = math.nan
        if not equals or not name.strip() or math.isnan(line):
            raise UsageError(f"not a limit: {expression!r}", "Write MEASURE=VALUE, such as ndcg@10=0.30.")
        lines[name.strip()] = line
    return lines


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """Return a function that finds a measure by its name, ignoring case; it raises UsageError for unknown ones."""

    def canonical(name: str) -> str:
        if name.lower() not in names:
            raise UsageError(f"unknown measure {name!r}", f"Measures: {', '.join(names)}.")
        return name.lower()

    return canonical


def read_gate(
    lines: Iterable[str] | None, baseline: Path | None, max_drop: float, canonical: Callable[[str], str]
) -> Gate:
    """Return the gate of `MEASURE=VALUE` expressions and a baseline; `canonical` returns the full name of a measure."""
    least = {canonical(name): line for name, line in parse_lines(lines or ()).items()}
    return Gate(least, read_report(baseline) if baseline else None, max_drop)


def check_baseline(report: Report, baseline: Report) -> None:
    """Raise RagcliError for a baseline with another test set or other measures."""
    if baseline.command != report.command:
        raise RagcliError(
            f"the baseline was made by `{baseline.command}`, this is `{report.command}`", "Name a report of this."
        )
    if changed := changed_data(report, baseline):
        raise RagcliError(
            f"the baseline was measured on another test set ({', '.join(changed)})", "Measure it again on these."
        )
    if not set(_held(report.metrics)) & set(_held(baseline.metrics)):
        raise RagcliError("the baseline has none of these measures", "Measure it again with the same measures.")


def changed_data(one: Report, other: Report) -> list[str]:
    """Return the test files that differ between two reports. Documents are ignored, because they may change."""
    names = sorted((one.data.keys() | other.data.keys()) - {"documents", "index"})
    return [name for name in names if one.data.get(name) != other.data.get(name)]


def crossings(report: Report, gate: Gate) -> list[Crossing]:
    """Return the measures that crossed a limit, in the report's order.

    Raises UsageError for a limit on a measure that the report lacks, or that has no value here.
    """
    found = [
        Crossing(name, value, line, "--fail-over" if name in _LOWER_IS_BETTER else "--fail-under")
        for name, line in gate.least.items()
        if is_worse(name, value := _value(report, name), line)
    ]
    if gate.baseline:
        check_baseline(report, gate.baseline)
        for name, before in _held(gate.baseline.metrics).items():
            line = before + gate.max_drop if name in _LOWER_IS_BETTER else before - gate.max_drop
            if name in report.metrics and is_worse(name, value := _value(report, name), line):
                found.append(Crossing(name, value, line, "--baseline"))
    return found


def is_worse(measure: str, value: float, line: float) -> bool:
    """Return whether a value is on the wrong side of a limit by more than rounding."""
    return value > line + _ROUNDING if measure in _LOWER_IS_BETTER else value < line - _ROUNDING


def _held(metrics: Values) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if value is not None and name not in COSTS}


def _value(report: Report, measure: str) -> float:
    value = report.metrics.get(measure)
    if value is None:
        names = ", ".join(name for name, value in report.metrics.items() if value is not None)
        raise UsageError(f"there is no value of {measure!r} to compare with a limit", f"Measured: {names}.")
    return value


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are not None; None if there are none."""
    present = [value for value in values if value is not None]
    return math.fsum(present) / len(present) if present else None
