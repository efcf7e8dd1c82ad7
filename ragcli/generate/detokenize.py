"""Decode tokens to text in pieces: whole characters, without stop strings."""

from collections.abc import Callable, Sequence

_PROMPT_TAIL = 6  # tokens of the prompt that are decoded with the first new ones


class Detokenizer:
    """Decode tokens into pieces of whole characters, in linear time.

    Some characters span several tokens, and some tokenizers drop a leading blank. So tokens are decoded together with
    those of the piece before, whose text is then cut off (as in vLLM and TGI).
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], prompt_ids: Sequence[int]) -> None:
        self._decode = decode
        self._ids = list(prompt_ids[-_PROMPT_TAIL:])
        while decode(self._ids).startswith("\ufffd"):  # the tail begins within a character
            del self._ids[0]
        self._begin_piece()

    def add(self, token: int) -> str:
        """Return the text that this token completes."""
        self._ids.append(token)
        text = self._pending()
        if not text or text.endswith("\ufffd"):
            return ""
        del self._ids[: self._told]
        self._begin_piece()
        return text

    def flush(self) -> str:
        """Return the rest of the text: an incomplete character, as U+FFFD."""
        return self._pending()

    def _begin_piece(self) -> None:
        self._told = len(self._ids)
        self._known = len(self._decode(self._ids))

    def _pending(self) -> str:
        return self._decode(self._ids)[self._known :]


class ThoughtFilter:
    """Remove a model's thinking: leading text between <think> and </think>."""

    _BEGIN, _END = "<think>", "</think>"

    def __init__(self) -> None:
        self._held = ""
        self._thinks: bool | None = None  # None is not known yet

    def add(self, piece: str) -> str:
        """Return what is certain to be part of the answer."""
        self._held += piece
        begun = self._held.lstrip()
        if self._thinks is None and not self._BEGIN.startswith(begun[: len(self._BEGIN)]):
            self._thinks = False
        elif self._thinks is None and begun.startswith(self._BEGIN):
            self._thinks = True
        if self._thinks:
            thought, ended, rest = self._held.partition(self._END)
            self._thinks, self._held = not ended, rest.lstrip() if ended else thought
        return "" if self._thinks is not False else self.flush()

    def flush(self) -> str:
        """Return the text held back, when nothing follows, except an unfinished thought."""
        text, self._held = "" if self._thinks else self._held, ""
        return text


class StopFilter:
    """Pass text up to the first stop string, holding back an end that may begin one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.stopped = False
        self._stops = [stop for stop in stops if stop]
        self._held = ""

    def add(self, piece: str) -> str:
        """Return the text that is certainly before a stop string."""
        text = self._held + piece
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        self.stopped = bool(found)
        certain = min(found) if found else len(text) - self._doubtful(text)
        self._held = "" if found else text[certain:]
        return text[:certain]

    def flush(self) -> str:
        """Return the text held back, when nothing follows."""
        return self._held

    def _doubtful(self, text: str) -> int:
        """Return the length of the longest end of `text` that may begin a stop string."""
        return max((n for stop in self._stops for n in range(1, len(stop)) if text.endswith(stop[:n])), default=0)
