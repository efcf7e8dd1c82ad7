"""Print completions and prompts."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ragcli.render.base import clean, print_json, print_note, print_text

if TYPE_CHECKING:
    from ragcli.generate import Completion, Stream
    from ragcli.prompt import Prompt, Span


def stream(text: "Stream") -> "Completion":
    """Print a text as it is written; return the completion."""
    for piece in text:
        sys.stdout.write(clean(piece))
        sys.stdout.flush()
    return text.finish()


def print_completions(
    prompt: str, completions: Sequence["Completion"], model: str, seed: int, as_json: bool, streamed: bool
) -> None:
    """Print completions as a JSON object, or as text separated by blank lines; after streaming, only a line end."""
    texts = [completion.text for completion in completions]
    if as_json:
        tokens = [completion.tokens for completion in completions]
        print_json({"prompt": prompt, "completions": texts, "model": model, "seed": seed, "new_tokens": tokens})
    elif streamed:
        print_text("")
    else:
        print_text("\n\n".join(text.strip("\n") for text in texts))
    if not as_json and not any(text.strip() for text in texts):
        print_note(
            "The model wrote nothing: it takes the text as finished. Give it a beginning to go on with, "
            "or a message to answer: --template message."
        )


def print_each(
    prompts: Sequence[str], completions: Sequence["Completion"], model: str, seed: int, as_json: bool
) -> None:
    """Print the completion of each prompt, as JSON Lines or as text separated by blank lines."""
    for n, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        if n and not as_json:
            print_text("")
        print_completions(prompt, [completion], model, seed, as_json, streamed=False)


def print_prompt(prompt: "Prompt", as_json: bool) -> None:
    """Print a prompt, and on stderr the text that did not fit."""
    if as_json:
        fields = prompt._asdict()
        print_json(fields | {name: [item._asdict() for item in fields[name]] for name in ("used", "dropped")})
        return
    print_text(prompt.text)
    note_dropped(prompt.dropped)


def note_dropped(spans: Sequence["Span"]) -> None:
    """Print on stderr which text did not fit into a prompt."""
    if spans:
        names = ", ".join(f"{span.id} {span.start}-{span.end}" for span in spans)
        print_note(f"not in the prompt, because it is full: {names}")
