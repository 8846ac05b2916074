"""Start the command line."""

from benchmarks.cli import app

app()
