"""The environment of a child process that needs none of our secrets."""

import os

# Secrets have names of any kind, also an application's own: so what a program needs to start is named instead.
_NAMES = {"PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
_BEGINNINGS = ("LC_", "PYTHON")


def plain_environment() -> dict[str, str]:
    """What of our environment says where programs and modules are, and how this place writes."""
    return {name: value for name, value in os.environ.items() if name in _NAMES or name.startswith(_BEGINNINGS)}
