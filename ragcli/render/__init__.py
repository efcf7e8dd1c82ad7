"""All printing: tables on a terminal, JSON Lines in a pipe, streamed text; results on stdout, the rest on stderr.

Text from documents, models and users is never parsed as markup, and its control characters never reach a terminal.
"""

from ragcli.render.answers import print_answer, print_sources, silence, write_answers, writing
from ragcli.render.base import clean, on_terminal, print_error, print_json, print_note, print_text, progress
from ragcli.render.chat import ChatView
from ragcli.render.contents import (
    print_document,
    print_entries,
    print_lines,
    print_log,
    print_objects,
    print_passages,
    print_status,
)
from ragcli.render.health import print_checks, print_settings
from ragcli.render.hits import print_hits, print_left_out, print_rejects, print_summary
from ragcli.render.markup import shown_text
from ragcli.render.models import print_model, print_models, print_templates
from ragcli.render.reports import print_comparison, print_crossings, print_report
from ragcli.render.texts import print_completions, print_each, print_prompt, stream
from ragcli.render.training import print_reader_training, print_survey, print_training, reader_steps, steps

__all__ = [
    "ChatView",
    "clean",
    "on_terminal",
    "print_answer",
    "print_checks",
    "print_comparison",
    "print_completions",
    "print_crossings",
    "print_document",
    "print_each",
    "print_entries",
    "print_error",
    "print_hits",
    "print_json",
    "print_left_out",
    "print_lines",
    "print_log",
    "print_model",
    "print_models",
    "print_note",
    "print_objects",
    "print_passages",
    "print_prompt",
    "print_reader_training",
    "print_rejects",
    "print_report",
    "print_settings",
    "print_sources",
    "print_status",
    "print_summary",
    "print_survey",
    "print_templates",
    "print_text",
    "print_training",
    "progress",
    "reader_steps",
    "shown_text",
    "silence",
    "steps",
    "stream",
    "write_answers",
    "writing",
]
