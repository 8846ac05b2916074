"""``sipproxy serve``: run the service in the foreground."""

from sipproxy.commands.output import ConfigFile
from sipproxy.config.load import load
from sipproxy.config.sockets import USUAL_FILES, usual_file


def serve(config: ConfigFile = None) -> None:
    """Run the proxy until SIGTERM (drains first) or Ctrl-C; SIGHUP reads the configuration again."""
    from sipproxy.service import run  # noqa: PLC0415 - the other commands must start fast and without the engine

    run(load(config or usual_file() or USUAL_FILES[0]))
