"""The ``sipproxy`` command, also as ``python -m sipproxy``."""

import sys


def main() -> None:
    """Run the command line; ctrl-C while it is still being read leaves no traceback."""
    try:
        from sipproxy.cli import main as run  # noqa: PLC0415 - this is what takes its time

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
