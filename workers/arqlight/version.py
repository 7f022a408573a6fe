"""The version of arqlight that is installed."""

from importlib.metadata import version

__version__ = version("arqlight")
