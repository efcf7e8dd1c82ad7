"""Write with a model behind `transformers serve`: the small GPT-2, without and with a chat template."""

import importlib.util
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from ragcli.models import PACKAGED
from tests.support import Run, environment

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("fastapi"), reason="transformers serve needs fastapi")

GREEDY = ("--temperature", "0", "--max-new-tokens", "12", "--format", "json")


@contextmanager
def serving(model: Path) -> Iterator[str]:
    """Run `transformers serve` with a model on a free port; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    program = "import sys; from transformers.cli.transformers import main; sys.exit(main())"
    line = [sys.executable, "-c", program, "serve", str(model), "--host", "127.0.0.1", "--port", port]
    line += ["--device", "cpu"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(line, env=environment({}), stdout=quiet, stderr=quiet) as process:
        try:
            while not _answers(f"http://127.0.0.1:{port}/health"):
                assert process.poll() is None, "it has ended"
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url).is_success
    except httpx2.TransportError:
        return False


def test_a_model_with_a_chat_template_answers_messages(
    ragcli: Run, corpus: Path, tmp_path: Path, packaged_gpt2: Path
) -> None:
    model = Path(shutil.copytree(packaged_gpt2, tmp_path / "chat"))
    (model / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    with serving(model) as url:
        by = ("--base-url", url, *GREEDY)
        [written] = ragcli("generate", "Once upon a time", *by).objects()
        own = ("--model", PACKAGED, "--precision", "float32", "--no-repeat-ngram-size", "0")
        [expected] = ragcli("generate", "Once upon a time", *own, *GREEDY).objects()
        assert written["completions"] == expected["completions"] and written["new_tokens"] == [12]
        ragcli("index", corpus)
        [answer] = ragcli("ask", "When does an owl sleep?", *by).objects()
        assert answer["answer"] and answer["prompt_tokens"] > 20 and answer["new_tokens"] <= 12


def test_a_model_without_one_goes_on_with_the_text(ragcli: Run, corpus: Path, packaged_gpt2: Path) -> None:
    with serving(packaged_gpt2) as url:
        ragcli("index", corpus)
        [answer] = ragcli("ask", "When does an owl sleep?", "--base-url", url, *GREEDY).objects()
        assert answer["answer"] and answer["prompt_tokens"] > 20
