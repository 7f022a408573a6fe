"""`docs/settings.md`: every setting, of the core and of the bundled families. `make settings-doc`."""

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from arqlight.checked_fields import Secret
from arqlight.family import OURS, declared
from arqlight.settings import PLATFORM_NAMES, PREFIX, Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"
COMMAND = "make settings-doc"
HEAD = f"""\
# Settings

Each setting is an environment variable and a flag of `arqlight up`, `server` and `worker`; the flag wins. (The flag
`--queues` of `arqlight worker` overrides what an application's class says.) A value that does not fit stops the start with one
line that names it. A list is written with commas: `high,default`. Times carry their unit in
the name: `_s` seconds, `_h` hours, `_d` days. [Operating](operating.md#settings) says which deserve a second look.

This page is generated from the code by `{COMMAND}`.
"""
SHOWN_TYPES: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    Secret: "secret",
}


def render() -> str:
    """The whole document."""
    parts = [HEAD, *_section("Core", Settings)]
    for family in declared():
        if family.settings is not None and family.name in OURS:
            about = (family.settings.__doc__ or "").strip().splitlines()[0]
            parts += _section(f"Family `{family.name}`", family.settings, f"{about}\n")
    return "\n".join(parts)


def _section(title: str, kind: type[Any], about: str = "") -> Iterator[str]:
    yield f"## {title}\n"
    if about:
        yield about
    yield "| environment variable | flag | type | default | what it is |"
    yield "|---|---|---|---|---|"
    hints = typing.get_type_hints(kind)
    for each in dataclasses.fields(kind):
        if "about" in each.metadata:
            variable = f"`{PREFIX}{each.name.upper()}`"
            if platform := PLATFORM_NAMES.get(each.name):
                variable += f", `{platform}`"
            cells = (
                variable,
                f"`--{each.name.replace('_', '-')}`",
                _type(hints[each.name], each.metadata),
                _default(each.default),
                each.metadata["about"],
            )
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def _type(hint: Any, bounds: Mapping[str, Any]) -> str:
    kinds = [each for each in typing.get_args(hint) if each is not type(None)]
    if typing.get_origin(hint) is Literal:
        return ", ".join(f"`{each}`" for each in kinds)
    return f"{SHOWN_TYPES[kinds[0] if kinds else hint]}{_bounds(bounds)}"


def _bounds(bounds: Mapping[str, Any]) -> str:
    words = {"above": "above", "least": "at least", "most": "at most"}
    told = [f"{word} {bounds[name]:,}" for name, word in words.items() if bounds.get(name) is not None]
    return f", {', '.join(told)}" if told else ""


def _default(default: Any) -> str:
    if default is None or default in ("", Secret("")):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    DOCUMENT.write_text(render())
