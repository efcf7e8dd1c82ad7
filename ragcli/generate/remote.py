"""Generate with a model of an OpenAI-compatible server: Ollama, llama-server, vLLM, LM Studio, OpenAI, and others."""

import math
from collections.abc import Generator as Coroutine
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from ragcli.endpoint import Endpoint, StatusError, together
from ragcli.errors import RagcliError, UsageError
from ragcli.generate.detokenize import StopFilter, ThoughtFilter
from ragcli.generate.generator import Stream
from ragcli.generate.options import Completion, Ended, Options

_CONTEXT = 4096  # tokens, if a server does not say
_BYTES_PER_TOKEN = 3  # an upper bound on tokens, because a server counts them only after the prompt is built
_STOPS = 4  # stop strings that OpenAI accepts
_NOT_THERE = (404, 405, 501)
_CHAT, _TEXT = "chat/completions", "completions"
# What llama.cpp's server gives to a model without a chat template.
_CHATML = """{%- for message in messages -%}
  {{- '<|im_start|>' + message.role + '
' + message.content + '<|im_end|>
' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant
' -}}
{%- endif -%}"""
_ENDED: dict[object, Ended] = {"length": "length", "stop": "end"}


class _Event(NamedTuple):
    """Hold what a server says in one event: texts, why it ended, and the tokens so far, if it counts them."""

    texts: Sequence[str]
    ended: str
    tokens: int | None
    prompt_tokens: int | None


class RemoteGenerator:
    """Generate with a server's model. A prompt is a message, unless `as_text` asks the model to continue it.

    If the server supports only one of these, it is used. A model without a chat template continues the text, where
    that can be known.
    """

    def __init__(self, endpoint: Endpoint, model: str | None, as_text: bool = False) -> None:
        """Ask the server for its models. Raises UnreachableError, UsageError if one of several must be named."""
        self._endpoint = endpoint
        self.name, said = _choose(endpoint, model)
        self.context, self.parameters = _context(said), (said.get("meta") or {}).get("n_params")
        self._ways = [_TEXT, _CHAT] if as_text or _lacks_template(endpoint, said) else [_CHAT, _TEXT]

    @property
    def instructed(self) -> bool:
        """Return whether a prompt is a message, which the model answers and then ends by itself."""
        return self._ways[0] == _CHAT

    def count_tokens(self, text: str) -> int:
        """Return an upper estimate of the number of tokens of a prompt."""
        return math.ceil(len(text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN)

    def generate(self, prompt: str, options: Options) -> Stream:
        """Return the completion of a prompt, in pieces as they arrive."""
        return Stream(self._pieces(prompt, options))

    def generate_all(self, prompts: Sequence[str], options: Options) -> list[Completion]:
        """Complete each prompt `options.rows` times, a few at a time."""
        wanted = [(text, options._replace(seed=options.seed + i)) for text in prompts for i in range(options.rows)]
        return together(lambda one: self.generate(*one).finish(), wanted)

    def _pieces(self, prompt: str, options: Options) -> Coroutine[str, None, Completion]:
        thoughts, stops, whole, ended = ThoughtFilter(), StopFilter(options.stop), list[str](), "end"
        tokens: int | None = None
        prompt_tokens: int | None = None
        events = 0
        with closing(self._events(prompt, options)) as answer:
            for event in map(self._read, answer):
                tokens, prompt_tokens = event.tokens or tokens, event.prompt_tokens or prompt_tokens
                ended = event.ended or ended
                for text in event.texts:
                    events += 1
                    if piece := stops.add(thoughts.add(text)):
                        whole.append(piece)
                        yield piece
                if stops.stopped:
                    break
        if rest := "" if stops.stopped else stops.add(thoughts.flush()) + stops.flush():
            whole.append(rest)
            yield rest
        why: Ended = "stop" if stops.stopped else _ENDED.get(ended, "end")
        return Completion("".join(whole), tokens or events, why, prompt_tokens)

    def _read(self, event: Any) -> _Event:
        try:
            return _event(event)
        except (AttributeError, TypeError, ValueError) as error:
            message = f"the server at {self._endpoint.url} does not answer as OpenAI's API does"
            raise RagcliError(message, "Check --base-url: it often ends in /v1.") from error

    def _events(self, prompt: str, options: Options) -> Coroutine[Any, None, None]:
        """Yield the events of the server; if it lacks one way to ask, use the other."""
        failed: StatusError | None = None
        ways = self._ways
        for way in ways:
            try:
                yield from self._endpoint.stream(way, self._body(way, prompt, options))
            except StatusError as error:
                if way == ways[-1] or not _may_lack(error):
                    raise failed or error from error
                failed = error
            else:
                self._ways = [way] if failed else ways
                return

    def _body(self, way: str, prompt: str, options: Options) -> dict[str, Any]:
        """Return a request. What OpenAI's API does not have (top-k, min-p, penalties) is left to the server."""
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
        if options.stop:
            body["stop"] = list(options.stop[:_STOPS])
        if options.schema:
            schema = {"name": "answer", "strict": True, "schema": options.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body


def _may_lack(error: StatusError) -> bool:
    """Return whether the server may lack this way to ask, and not the model, which the other way would lack too.

    `transformers serve` says 500 where a model has no chat template.
    """
    if error.status == 500:
        return True
    if error.status in _NOT_THERE:
        return "chat" in error.reason or "model" not in error.reason.lower()
    return error.status == 400 and "chat template" in error.reason.lower()


def _event(event: Mapping[str, Any]) -> _Event:
    """Read an event of the server. Raises AttributeError, TypeError or ValueError for what is none."""
    choices, usage = event.get("choices") or (), event.get("usage") or {}
    ended = [str(choice["finish_reason"]) for choice in choices if choice.get("finish_reason")]
    counts = (int(usage.get(f"{name}_tokens") or 0) or None for name in ("completion", "prompt"))
    return _Event([_text_of(choice) for choice in choices], "".join(ended[:1]), *counts)


def _text_of(choice: Mapping[str, Any]) -> str:
    """Return the text of an event. A model's thinking is in other fields, and not shown."""
    return str((choice.get("delta") or {}).get("content") or choice.get("text") or "")


def _choose(endpoint: Endpoint, model: str | None) -> tuple[str, Mapping[str, Any]]:
    """Return the model's name, and what the server says about it. One of several models must be named."""
    listed = _models(endpoint)
    if model is None and len(listed) != 1:
        names = ", ".join(sorted(listed)[:5]) or "it does not say which"
        raise UsageError(f"the server at {endpoint.url} has several models", f"Name one with --model: {names}.")
    name = model or next(iter(listed))
    return name, listed.get(name, {})


def _lacks_template(endpoint: Endpoint, said: Mapping[str, Any]) -> bool:
    """Return whether llama.cpp's server puts its own chat template in place of a missing one."""
    if said.get("owned_by") != "llamacpp":
        return False
    try:
        properties = endpoint.get(f"{endpoint.url.removesuffix('/v1')}/props")
    except RagcliError:
        return False
    return isinstance(properties, dict) and properties.get("chat_template") == _CHATML


def _models(endpoint: Endpoint) -> dict[str, Mapping[str, Any]]:
    """Return the server's description of each model; none if it has no list."""
    try:
        content = endpoint.get("models")
    except StatusError as error:
        if error.status in _NOT_THERE:
            return {}
        raise
    listed = content.get("data") if isinstance(content, dict) else None
    return {str(one["id"]): one for one in listed or () if isinstance(one, dict) and "id" in one}


def _context(listed: Mapping[str, Any]) -> int:
    """Return the context length, which servers report under different names."""
    meta = listed.get("meta") or {}
    said = (listed.get("max_model_len"), listed.get("context_length"), meta.get("n_ctx"), meta.get("n_ctx_train"))
    return next((size for size in said if isinstance(size, int) and size > 0), _CONTEXT)
