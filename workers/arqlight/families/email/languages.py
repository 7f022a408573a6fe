"""Templates in several languages: `alert.de` stands beside `alert`, and is looked up as RFC 4647 (3.4) says."""

import re

from arqlight.errors import InvalidInput

_TAG = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|\d{3}))?", re.ASCII)


def language_tag(text: object) -> str:
    """A tag of BCP 47 as it is usually written: language, script, region (`de`, `pt-BR`, `zh-Hant-TW`).

    Raises InvalidInput.
    """
    match = _TAG.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidInput("language", f"{str(text)[:50]!r} is no language; write de, pt-BR or zh-Hant")
    language, script, region = match.groups()
    return "-".join(part for part in (language.lower(), script and script.title(), region and region.upper()) if part)


def names_for(name: str, language: str) -> list[str]:
    """The names under which a template may stand for a language, the nearest first; the last is in no language."""
    parts = language.split("-")
    return [f"{name}.{'-'.join(parts[:count])}" for count in range(len(parts), 0, -1)] + [name]


def language_of(name: str) -> str | None:
    """The language that a template's name ends in."""
    return name.partition(".")[2] or None


def check_name(name: str) -> None:
    """Raises InvalidInput for what is no template's name."""
    base, dot, language = name.partition(".")
    good = base.isascii() and base.isidentifier() and len(name) <= 100
    if good and dot:
        good = _TAG.fullmatch(language) is not None and language_tag(language) == language
    if not good:
        said = "write letters, digits and _, such as order_shipped; with a language order_shipped.de or .pt-BR"
        raise InvalidInput("name", f"{name[:100]!r} is no name; {said}")
