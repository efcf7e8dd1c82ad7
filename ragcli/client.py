"""Hand a command line to the server that `serve --background` has started, and which has its models loaded.

What this file imports decides how long a command takes that a server answers: nothing that Python has not loaded yet,
but the C part of `socket` (the rest of it takes as long as Python takes to start).
"""

import _socket
import os
import sys

COMMANDS = ("ask", "search")
# Variables that decide what is printed: those with this beginning, these, and on a terminal these as well.
_BEGINNINGS = ("RAGCLI_", "HF_")
_ALWAYS = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "COLUMNS", "LINES")
_TERMINAL = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")

# What the server answers: that it does not do this, that it begins to print, or (in two bytes) that it is done.
DECLINED, PRINTING, DONE = b"n", b"p", b"d"

# Options that take long, or that open something on the caller's desktop.
_ALONE = ("--batch", "--open", "--install-completion", "--show-completion")
_TOO_LONG = 100  # bytes of the path of a socket that every system takes


def socket_path() -> str:
    """Return the socket of the server, in the same data folder as settings.data_home."""
    home = os.environ.get("RAGCLI_HOME")
    if home:
        home = os.path.expanduser(home)
    elif sys.platform == "darwin":
        home = os.path.expanduser("~/Library/Application Support/ragcli")
    else:
        home = os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"), "ragcli")
    return os.path.join(home, "serve.sock")


def settings_of(stdout: int) -> list[str]:
    """Return the variables of this process that decide what is printed to a file or terminal, sorted."""
    names = _ALWAYS + _TERMINAL if os.isatty(stdout) else _ALWAYS
    found = (name for name in os.environ if name in names or name.startswith(_BEGINNINGS))
    return [f"{name}={os.environ[name]}" for name in sorted(found) if name != "RAGCLI_TOKEN"]


def forward(arguments: list[str], version: str) -> int | None:
    """Have the server run a command line; return its exit code, or None where this process has to run it itself."""
    if not _can_go(arguments):
        return None
    path = socket_path()
    if len(os.fsencode(path)) > _TOO_LONG or not _is_ours(path):
        return None
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        server.connect(path)
        _send(server, [version, os.getcwd(), *settings_of(1), "", *arguments])
        return _code(server)
    except OSError:  # nobody listens there any more, or the caller's folder is gone
        return None
    finally:
        server.close()


def _is_ours(path: str) -> bool:
    """Return whether there is a socket of this user; another's server may not have the standard streams."""
    try:
        return os.stat(path).st_uid == os.geteuid()
    except OSError:
        return False


def _can_go(arguments: list[str]) -> bool:
    named = {argument.partition("=")[0] for argument in arguments}
    return bool(arguments) and arguments[0] in COMMANDS and named.isdisjoint(_ALONE)


def _send(server: _socket.socket, parts: list[str]) -> None:
    """Send the standard streams themselves, and the parts with their length before them."""
    content = b"\0".join(map(os.fsencode, parts))
    streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)]
    server.sendmsg([len(content).to_bytes(4, "big")], rights)
    server.sendall(content)


def _code(server: _socket.socket) -> int | None:
    """Wait for the exit code; None if the server does not answer and nothing was printed yet."""
    printing = False
    while True:
        answer = server.recv(1)
        if answer == PRINTING:
            printing = True
        elif answer == DONE:
            return server.recv(1)[0]
        elif printing:
            sys.stderr.write("Error: the server ended before the answer did\nRun the command again.\n")
            return 1
        else:
            return None
