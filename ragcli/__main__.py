"""The console script: python -m ragcli."""

import sys


def run() -> None:
    """Run the command line, here or by a server that waits for it, and exit with its code."""
    try:
        from ragcli import __version__, client

        code = client.forward(sys.argv[1:], __version__)
        if code is None:
            from ragcli.cli import main

            code = main()
    except KeyboardInterrupt:  # before the command line could take care of it
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    run()
