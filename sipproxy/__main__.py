"""``python -m sipproxy`` is the ``sipproxy`` command."""

from sipproxy.cli import main

main()
