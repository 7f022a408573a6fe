"""What somebody else's module names: imported, and where that fails, said in one sentence."""

import traceback
from importlib import import_module
from typing import Any

from arqlight.errors import SettingsError


class Exited(SettingsError):
    """A module called `sys.exit` while it was imported; `code` is what it ended with."""

    def __init__(self, what: str, given: Any) -> None:
        self.code = given if isinstance(given, int) else int(given is not None)
        super().__init__(f"{what} ended its import with sys.exit({given!r})")


def import_named(what: str, path: str, separator: str = ".") -> Any:
    """`package.module<separator>name`, imported. Raises SettingsError, which says what it is for (`what`) and why not.

    Whatever the module raises is such an error: it is not ours.
    """
    module, _, name = path.rpartition(separator)
    if not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        raise SettingsError(f"{what} {path!r} is no name; write package.module{separator}name")
    try:
        found = import_module(module)
    except SystemExit as error:
        raise Exited(f"{what} {path!r}", error.code) from error
    except Exception as error:
        if isinstance(error, SettingsError) and module.partition(".")[0] == "arqlight":
            raise  # a sentence of ours already
        raise SettingsError(f"{what} {path!r} cannot be imported: {told(error)}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise SettingsError(f"{what} {path!r} is not there: module {module!r} has no {name!r}")
        found = getattr(found, part)
    return found


def told(error: BaseException) -> str:
    """Class and text of an error in one line, with file and line of the innermost frame that is not Python's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    text = " ".join(str(error).split())
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen")
        and "/importlib/" not in frame.filename
        and frame.filename != __file__
    ]
    where = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}{f': {text}' if text else ''}{where}"
