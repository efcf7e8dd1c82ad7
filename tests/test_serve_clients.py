"""LangChain and LlamaIndex talk to the server through their clients for OpenAI's interface."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving import server, world
from tests.support import run_process, write_lines

QUESTION = "When does an owl hunt?"
ANSWER = "An owl sleeps by day and hunts by night. [1]"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("clients")
    corpus = write_lines(
        folder / "corpus.jsonl",
        {"id": "fox", "text": "A quick brown fox jumps over a lazy dog."},
        {"id": "owl", "text": "An owl sleeps by day and hunts by night."},
    )
    assert run_process("index", corpus, "--encoder", "minilm", env=world(folder)).code == 0
    with server(env=world(folder)) as address:
        yield f"{address}/v1"


def test_langchain_chats_streams_and_gets_vectors(address: str) -> None:
    langchain: Any = pytest.importorskip("langchain_openai")
    chat = langchain.ChatOpenAI(model="ragcli", base_url=address, api_key="none")
    assert chat.invoke(QUESTION).content == ANSWER
    assert "".join(chunk.content for chunk in chat.stream(QUESTION)) == ANSWER
    said = [("human", QUESTION), ("ai", "By night."), ("human", "And when does it sleep?")]
    assert "owl sleeps by day" in chat.invoke(said).content
    embeddings = langchain.OpenAIEmbeddings(
        model="minilm", base_url=address, api_key="none", check_embedding_ctx_length=False
    )
    [owl, fox] = embeddings.embed_documents(["an owl", "a fox"])
    assert embeddings.embed_query("an owl") == pytest.approx(owl, abs=1e-3) != fox


def test_llama_index_chats_streams_and_gets_vectors(address: str) -> None:
    llms: Any = pytest.importorskip("llama_index.llms.openai_like")
    embeddings: Any = pytest.importorskip("llama_index.embeddings.openai_like")
    core: Any = pytest.importorskip("llama_index.core.llms")
    chat = llms.OpenAILike(model="ragcli", api_base=address, api_key="none", is_chat_model=True)
    message = core.ChatMessage(role="user", content=QUESTION)
    assert chat.chat([message]).message.content == ANSWER
    assert "".join(part.delta for part in chat.stream_chat([message])) == ANSWER
    assert chat.complete(QUESTION).text == ANSWER
    encoder = embeddings.OpenAILikeEmbedding(model_name="minilm", api_base=address, api_key="none")
    assert encoder.get_text_embedding("an owl") == pytest.approx(encoder.get_query_embedding("an owl"), abs=1e-3)
