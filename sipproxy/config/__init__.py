"""The configuration file: TOML, checked whole before anything starts, each fault with place and remedy."""

from sipproxy.config.load import Loaded, load
from sipproxy.config.model import Configuration

__all__ = ["Configuration", "Loaded", "load"]
