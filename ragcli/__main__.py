"""The console script: python -m ragcli."""

import sys


def run() -> None:
    """Run the command line and exit with its code."""
    from ragcli.cli import main

    sys.exit(main())


if __name__ == "__main__":
    run()
