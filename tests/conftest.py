"""What all tests share."""

from collections.abc import Iterator

import pytest

from ragcli.warm import keep_models

pytest_plugins = ["tests.elastic.fixtures", "tests.support", "tests.tiny_gpt2", "tests.gguf", "tests.openai_server"]


@pytest.fixture(autouse=True)
def forget_models() -> Iterator[None]:
    """Let no test find the models that another one opened."""
    yield
    keep_models(False)
