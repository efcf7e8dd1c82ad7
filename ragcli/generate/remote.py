"""Write with a model behind an OpenAI-compatible server: Ollama, llama-server, vLLM, LM Studio, OpenAI, and others."""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Generator as Coroutine
from contextlib import closing
from typing import Any

from ragcli.endpoint import Endpoint, StatusError
from ragcli.errors import RagcliError, UsageError
from ragcli.generate.detokenize import StopFilter
from ragcli.generate.generator import Stream
from ragcli.generate.options import Completion, Ended, Options

_CONTEXT = 4096  # tokens, where a server does not say
_BYTES_PER_TOKEN = 3  # of a text, at least: a server counts its tokens itself, after the prompt is built
_TOGETHER = 4  # requests at a time
_STOPS = 4  # stop strings that OpenAI takes
_NOT_THERE = (404, 405, 501)
_CHAT, _TEXT = "chat/completions", "completions"
_ENDED: dict[object, Ended] = {"length": "length", "stop": "end"}

Request = tuple[str, Options]


class RemoteGenerator:
    """Write with a server's model. A prompt is a message, unless `as_text` asks the model to go on with it.

    Where the server has one way only, that is taken.
    """

    def __init__(self, endpoint: Endpoint, model: str | None, as_text: bool = False) -> None:
        """Ask the server for its models. Raises UnreachableError, UsageError where no model is named of several."""
        self._endpoint = endpoint
        self.name, self.context, self.parameters = _choose(endpoint, model)
        self._ways = [_TEXT, _CHAT] if as_text else [_CHAT, _TEXT]

    @property
    def instructed(self) -> bool:
        """Tell whether a prompt is a message, which the model answers and then ends by itself."""
        return self._ways[0] == _CHAT

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a prompt takes at most, as far as one can tell from here."""
        return math.ceil(len(text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN)

    def generate(self, prompt: str, options: Options) -> Stream:
        """Return the text that follows a prompt, in pieces as they come."""
        return Stream(self._pieces(prompt, options))

    def generate_all(self, prompts: Sequence[str], options: Options) -> list[Completion]:
        """Complete each prompt, and each as often as the options have rows, a few at a time."""
        wanted = [(text, options._replace(seed=options.seed + i)) for text in prompts for i in range(options.rows)]
        return _together(lambda one: self.generate(*one).finish(), wanted)

    def _pieces(self, prompt: str, options: Options) -> Coroutine[str, None, Completion]:
        stops, whole, ended = StopFilter(options.stop), list[str](), "end"
        usage: Mapping[str, Any] = {}
        events = 0
        with closing(self._events(prompt, options)) as answer:
            for event in answer:
                usage = event.get("usage") or usage
                for choice in event.get("choices") or ():
                    events += 1
                    ended = choice.get("finish_reason") or ended
                    if piece := stops.add(_text_of(choice)):
                        whole.append(piece)
                        yield piece
                if stops.stopped:
                    break
        if held := "" if stops.stopped else stops.flush():
            whole.append(held)
            yield held
        tokens = int(usage.get("completion_tokens") or events)
        why: Ended = "stop" if stops.stopped else _ENDED.get(ended, "end")
        return Completion("".join(whole), tokens, why, usage.get("prompt_tokens"))

    def _events(self, prompt: str, options: Options) -> Coroutine[Any, None, None]:
        """Yield what the server sends; where it lacks the one way, in the other way."""
        for way in list(self._ways):
            try:
                yield from self._endpoint.stream(way, self._body(way, prompt, options))
                return
            except StatusError as error:
                if way == self._ways[-1] or not _is_not_there(error):
                    raise
                self._ways = [one for one in self._ways if one != way]

    def _body(self, way: str, prompt: str, options: Options) -> dict[str, Any]:
        """Return a request. What OpenAI's API has no word for (top-k, min-p, penalties) is the server's own choice."""
        asked = {"messages": [{"role": "user", "content": prompt}]} if way == _CHAT else {"prompt": prompt}
        body: dict[str, Any] = {
            "model": self.name,
            **asked,
            "max_tokens": options.max_new_tokens,
            "temperature": options.sampling.temperature,
            "top_p": options.sampling.top_p,
            "seed": options.seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return body | ({"stop": list(options.stop[:_STOPS])} if options.stop else {})


def _together(write: Callable[[Request], Completion], requests: Sequence[Request]) -> list[Completion]:
    """Write what is asked for, a few at a time; raise the first error.

    The threads are daemons, so that Ctrl-C does not wait for a server that is still reading a prompt.
    """
    done: dict[int, Completion] = {}
    failed: list[RagcliError] = []
    waiting, lock = iter(enumerate(requests)), threading.Lock()

    def work() -> None:
        while not failed:
            with lock:
                place, request = next(waiting, (0, None))
            if request is None:
                return
            try:
                done[place] = write(request)
            except RagcliError as error:
                failed.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_TOGETHER, len(requests)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return [done[place] for place in range(len(requests))]


def _is_not_there(error: StatusError) -> bool:
    """Tell whether the server lacks a way to ask: not the model, which the other way would lack as well."""
    if error.status in _NOT_THERE:
        return "chat" in error.reason or "model" not in error.reason.lower()
    return error.status == 400 and "chat template" in error.reason.lower()


def _text_of(choice: Mapping[str, Any]) -> str:
    """Return the text of an event. What a model thinks is in other fields, and not shown."""
    return str((choice.get("delta") or {}).get("content") or choice.get("text") or "")


def _choose(endpoint: Endpoint, model: str | None) -> tuple[str, int, int | None]:
    """Return the model's name, its context, and its size. Of several models of a server one has to be named."""
    listed = _models(endpoint)
    if model is None and len(listed) != 1:
        names = ", ".join(sorted(listed)[:5]) or "it does not say which"
        raise UsageError(f"the server at {endpoint.url} has several models", f"Name one by --model: {names}.")
    name = model or next(iter(listed))
    said = listed.get(name, {})
    return name, _context(said), (said.get("meta") or {}).get("n_params")


def _models(endpoint: Endpoint) -> dict[str, Mapping[str, Any]]:
    """Return what the server says of each of its models; nothing where it has no such list."""
    try:
        content = endpoint.get("models")
    except StatusError as error:
        if error.status in _NOT_THERE:
            return {}
        raise
    listed = content.get("data") if isinstance(content, dict) else None
    return {str(one["id"]): one for one in listed or () if isinstance(one, dict) and "id" in one}


def _context(listed: Mapping[str, Any]) -> int:
    """Return how many tokens fit, which each kind of server says under another name."""
    meta = listed.get("meta") or {}
    said = (listed.get("max_model_len"), listed.get("context_length"), meta.get("n_ctx"), meta.get("n_ctx_train"))
    return next((size for size in said if isinstance(size, int) and size > 0), _CONTEXT)
