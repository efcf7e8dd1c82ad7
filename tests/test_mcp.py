"""The Model Context Protocol, by its makers' own client."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError, StdioServerParameters

from ragcli.api import Index
from ragcli.mcp import make_server
from ragcli.warm import keep_models
from tests.support import assert_two_lines, command, environment, run_on_terminal, run_process, write_lines


def talk(corpus: Path, said: Callable[[Client], Awaitable[Any]]) -> Any:
    """Let a client talk to the command in a process of its own."""
    assert run_process("index", corpus).code == 0
    program = StdioServerParameters(command=sys.executable, args=["-m", "ragcli", "mcp"], env=environment({}))

    async def whole() -> Any:
        async with Client(program) as client:
            return await said(client)

    return asyncio.run(whole())


def test_an_agent_searches_asks_and_reads(corpus: Path) -> None:
    async def said(client: Client) -> None:
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == {"search", "ask", "get_document", "list"}
        assert all(tool.description and tool.annotations and tool.annotations.read_only_hint for tool in tools)
        hits = (await client.call_tool("search", {"query": "sleeps", "where": ["year>=2010"]})).structured_content
        assert hits and [hit["id"] for hit in hits["hits"]] == ["cat"]
        answer = (await client.call_tool("ask", {"question": "When does an owl hunt?"})).structured_content
        assert answer
        cited = answer["sentences"][0]
        place = {"id": answer["sources"][cited["source"] - 1]["id"], "start": cited["start"], "end": cited["end"]}
        part = (await client.call_tool("get_document", place)).structured_content
        assert part and part["text"] == cited["text"] == "An owl sleeps by day and hunts by night."
        listed = (await client.call_tool("list", {"limit": 2})).structured_content
        assert listed and [one["id"] for one in listed["listed"]] == ["cat", "fox"]

    talk(corpus, said)


def test_what_an_agent_can_mend_is_told(corpus: Path) -> None:
    async def said(client: Client) -> None:
        for tool, arguments, words in (
            ("search", {"query": "owl", "where": ["color=red"]}, "Its fields: year"),
            ("get_document", {"id": "yak"}, "ragcli list"),
            ("ask", {"question": " "}, "empty"),
        ):
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            assert words in json.dumps([block.model_dump() for block in result.content])

    talk(corpus, said)


def test_a_document_and_a_part_of_it_are_resources(tmp_path: Path) -> None:
    document = write_lines(
        tmp_path / "corpus.jsonl", {"id": "a/b#c", "text": "Text of a section."}, {"id": "猫-1", "text": "𝔘 猫 sleeps."}
    )

    async def said(client: Client) -> None:
        templates = (await client.list_resource_templates()).resource_templates
        assert [one.uri_template for one in templates] == [
            "ragcli://document/{id}",
            "ragcli://document/{id}/{start}-{end}",
        ]
        read = await client.read_resource("ragcli://document/a%2Fb%23c")
        assert [getattr(content, "text", None) for content in read.contents] == ["Text of a section."]
        for place, text in (("a%2Fb%23c/8-9", "a"), ("%E7%8C%AB-1/0-3", "𝔘 猫"), ("a%2Fb%23c/90-99", "")):
            read = await client.read_resource(f"ragcli://document/{place}")
            assert [getattr(content, "text", None) for content in read.contents] == [text]
        for missing in ("yak", "yak/0-1", "a%2Fb%23c/x-y"):
            with pytest.raises(MCPError):
                await client.read_resource(f"ragcli://document/{missing}")

    talk(document, said)


def lines_of(*messages: dict[str, Any]) -> bytes:
    """Return what a client sends: the handshake, then messages."""
    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    first: list[dict[str, Any]] = [
        {"id": 0, "method": "initialize", "params": about},
        {"method": "notifications/initialized"},
    ]
    return b"".join(json.dumps({"jsonrpc": "2.0", **one}).encode() + b"\n" for one in (*first, *messages))


def test_piped_requests_are_answered_before_the_process_ends(corpus: Path) -> None:
    assert run_process("index", corpus).code == 0
    calls = [
        {"id": n, "method": "tools/call", "params": {"name": "search", "arguments": {"query": "owl"}}} for n in (1, 2)
    ]
    result = run_process("mcp", input=lines_of(*calls))
    answers = {line["id"]: line["result"] for line in result.objects()}
    assert (result.code, set(answers)) == (0, {0, 1, 2})
    assert all(answers[n]["structuredContent"]["hits"][0]["id"] == "owl" for n in (1, 2))


def test_a_cancelled_request_keeps_no_process(corpus: Path) -> None:
    assert run_process("index", corpus).code == 0
    call = {"id": 1, "method": "tools/call", "params": {"name": "ask", "arguments": {"question": "Where is it?"}}}
    cancel = {"method": "notifications/cancelled", "params": {"requestId": 1}}
    assert run_process("mcp", input=lines_of(call, cancel)).code == 0


def test_ctrl_c_ends_it_without_another_line(corpus: Path) -> None:
    assert run_process("index", corpus).code == 0
    with subprocess.Popen(
        command("mcp"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment({})
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write(lines_of())
        process.stdin.flush()
        assert b"serverInfo" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == -signal.SIGINT


def test_on_a_terminal_it_says_what_it_waits_for(corpus: Path) -> None:
    assert run_process("index", corpus).code == 0
    shown = run_on_terminal("mcp", typed=b"\x04")
    assert "serving knowledge_base to a program" in shown.out


def test_an_index_that_is_not_there_is_said() -> None:
    assert_two_lines(run_process("mcp", "--index", "none"), 1, "no index named none")


@pytest.mark.usefixtures("corpus")
def test_a_server_can_be_part_of_a_program(tmp_path: Path) -> None:
    async def whole() -> list[str]:
        async with Client(make_server(Index("unseen", home=tmp_path))) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    try:
        assert "ask" in asyncio.run(whole())
    finally:
        keep_models(False)
