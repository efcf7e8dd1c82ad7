"""Serve an index with the Model Context Protocol: tools to search, ask and read documents."""

import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Literal, ParamSpec, TypeVar
from urllib.parse import unquote

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse, RequestId, ToolAnnotations
from pydantic import Field

from ragcli import __version__
from ragcli.api import Index
from ragcli.contents import document_json
from ragcli.errors import RagcliError
from ragcli.search import Mode

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_INSTRUCTIONS = (
    "Search and ask the user's own texts. `search` finds passages, `ask` answers with cited sentences of the texts or "
    "says that they do not tell, `get_document` reads a document or a part of it by the offsets that the others give."
)

K = Annotated[int, Field(ge=1, le=100, description="passages at most")]
Where = Annotated[list[str], Field(description="filters, such as year>=1990")]
Length = Annotated[Literal["short", "normal", "long"], Field(description="of the answer")]


def make_server(index: Index) -> MCPServer[Any]:
    """Return the server of an index."""
    server = _Server("ragcli", instructions=_INSTRUCTIONS, version=__version__, log_level="WARNING")

    @server.tool(annotations=_READS)
    @_told
    def search(query: str, k: K = 10, where: Where = [], mode: Mode | None = None) -> dict[str, Any]:  # noqa: B006
        """Find passages that match a query, best first, with the id and position in their document."""
        ranking = index.ranking._replace(mode=mode) if mode else None
        return {"hits": [hit.as_json() for hit in index.search(query, k, where, ranking)]}

    @server.tool(annotations=_READS)
    @_told
    def ask(question: str, k: K = 5, where: Where = [], length: Length = "normal") -> dict[str, Any]:  # noqa: B006
        """Answer a question with sentences of the texts; `abstained` if they do not answer it."""
        return index.ask(question, k, where, length=length).as_json()

    @server.tool(annotations=_READS)
    @_told
    def get_document(
        id: str,
        start: Annotated[int, Field(ge=0, description="first character")] = 0,
        end: Annotated[int | None, Field(ge=0, description="character after the last; all by default")] = None,
    ) -> dict[str, Any]:
        """Read a document, or a part of it, with its metadata; offsets count characters."""
        document, hits = index.document(id)
        return document_json(document, hits) | {"text": document.text[start:end], "characters": len(document.text)}

    @server.tool(name="list", annotations=_READS)
    @_told
    def list_(
        where: Where = [],  # noqa: B006
        limit: Annotated[int, Field(ge=1, le=1000, description="documents at most")] = 100,
    ) -> dict[str, Any]:
        """List the documents, with the status of the index."""
        documents = [entry._asdict() for entry in index.documents(where, limit)]
        return index.status().as_json(index.location.name) | {"listed": documents}

    @server.resource("ragcli://document/{id}", name="document", mime_type="text/plain")
    def document(id: str) -> str:
        """Read a document's text; its id is percent-encoded."""
        try:
            return index.document(unquote(id))[0].text
        except RagcliError as error:
            raise ResourceNotFoundError(error.message) from error

    @server.resource("ragcli://document/{id}/{start}-{end}", name="part", mime_type="text/plain")
    def part(id: str, start: int, end: int) -> str:
        """Read the characters of a document from `start` up to `end`."""
        return document(id)[start:end]

    return server


def run(index: Index, port: int | None, note: Callable[[str], None]) -> None:
    """Serve an index on standard input and output, or over local HTTP, until the client disconnects."""
    index.status()  # reports a wrong name now
    server, name = make_server(index), index.location.name
    if port is None:
        if sys.stdin.isatty():
            note(f"serving {name} to a program that writes to standard input – Ctrl-C ends it")
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's handler would wait for the next line of input
        server.run("stdio")
    else:
        note(f"serving {name} at http://127.0.0.1:{port}/mcp – Ctrl-C ends it")
        server.run("streamable-http", host="127.0.0.1", port=port)


class _Server(MCPServer[Any]):
    """A server that answers all requests on standard input before it ends; the SDK's drops them when input ends."""

    async def run_stdio_async(self) -> None:
        """Serve on standard input and output until input ends and every request is answered."""
        pending: set[RequestId] = set()
        to_server, requests = anyio.create_memory_object_stream[SessionMessage | Exception]()
        responses, from_server = anyio.create_memory_object_stream[SessionMessage]()

        async def forward() -> None:
            async with to_server:
                async for one in incoming:
                    await to_server.send(_noted(one, pending))
                while pending:
                    await anyio.sleep(0.01)

        async def back() -> None:
            async with outgoing:
                async for one in from_server:
                    await outgoing.send(one)
                    if isinstance(one.message, JSONRPCResponse | JSONRPCError) and one.message.id is not None:
                        pending.discard(one.message.id)

        async with stdio_server() as (incoming, outgoing), anyio.create_task_group() as tasks:
            tasks.start_soon(forward)
            tasks.start_soon(back)
            server = self._lowlevel_server
            await server.run(requests, responses, server.create_initialization_options())


def _noted(one: SessionMessage | Exception, pending: set[RequestId]) -> SessionMessage | Exception:
    """Return a message; note a request as pending, unless its client cancels it, because then nobody answers."""
    if isinstance(one, SessionMessage):
        if isinstance(one.message, JSONRPCRequest):
            pending.add(one.message.id)
        elif isinstance(one.message, JSONRPCNotification) and one.message.method == "notifications/cancelled":
            pending.discard((one.message.params or {}).get("requestId"))
    return one


def _told(tool: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Report errors that a user can act on to the agent."""

    @wraps(tool)
    def reporting(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return tool(*args, **kwargs)
        except RagcliError as error:
            raise ToolError(f"{error.message}. {error.hint}") from error

    return reporting
