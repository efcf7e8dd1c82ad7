"""Silence transformers."""

from collections.abc import Callable

from transformers.utils import logging


def silence_transformers() -> None:
    """Turn off the progress bars and warnings of transformers."""
    functions: tuple[Callable[[], None], ...] = (logging.set_verbosity_error, logging.disable_progress_bar)
    for function in functions:
        function()
