"""Print which models and templates there are, and what a model is."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ragcli.render.base import console, line, print_json, print_text

if TYPE_CHECKING:
    from ragcli.models import Card
    from ragcli.templates import Template


def print_models(cards: Iterable["Card"], as_json: bool) -> None:
    """Print models as JSON Lines, or as a table."""
    if as_json:
        for card in cards:
            print_json(card.as_json())
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Model", overflow="fold")
    for name in ("From", "Kind", "Parameters", "Size", "Context", "Weights", "Licence"):
        table.add_column(name)
    for card in cards:
        table.add_row(Text(line(card.name)), card.origin, *map(Text, map(line, _figures(card))))
    console().print(table)


def print_model(card: "Card", as_json: bool) -> None:
    """Print everything known about a model."""
    if as_json:
        print_json(card.as_json())
        return
    names = ("kind", "parameters", "size", "context", "weights", "licence")
    print_text(line(card.name))
    for name, value in zip(names, _figures(card), strict=True):
        print_text(f"{name}: {line(value)}")
    print_text(f"path: {line(str(card.path))}")


def _figures(card: "Card") -> tuple[str, ...]:
    context = f"{card.context:,} tokens" if card.context else "unknown"
    size = f"{card.size / 1e6:,.0f} MB"
    return (card.architecture, _count(card.parameters), size, context, card.quantization, card.licence or "unknown")


def _count(parameters: int) -> str:
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.0f} M"


def print_templates(templates: Iterable["Template"], as_json: bool) -> None:
    """Print templates as JSON Lines, or a line each."""
    for template in templates:
        if as_json:
            names = ("name", "description", "model", "style")
            print_json({name: getattr(template, name) for name in names} | {"path": str(template.path)})
        else:
            print_text(f"{line(template.name):<12} {line(template.description)}")
