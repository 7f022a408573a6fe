"""Renders templates in a process of its own: `python -m arqlight.families.email.render_process`.

A template is a program that somebody typed into a form. jinja2's sandbox keeps it from Python's inside; this process
has bounded memory, no secret in its environment and no right to open a file, its output is bounded, and the worker ends
it when it takes too long. One JSON line in, one out.
"""

import json
import resource
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MOST_MEMORY_BYTES = 400 * 1024 * 1024
MOST_OUTPUT = 512 * 1024  # characters of one part
# By jinja2 and by Python itself, for a filter or an error.
IMPORTED_LATER = (
    "encodings.ascii", "encodings.latin_1", "encodings.unicode_escape", "html", "jinja2.constants", "jinja2.debug",
    "pprint", "textwrap", "unicodedata",
)  # fmt: skip
PARTS = ("subject", "text", "html")
LAYOUT = {"layout.html": (Path(__file__).parent / "built_in" / "layout.html").read_text()}


# What the HTML part, and the layout around it, is given besides the variables.
GIVEN = {"subject": "", "language": "en", "reply_to": "", "unsubscribe_url": ""}


class Refused(Exception):
    """A template that cannot be used: which part, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


def environment(part: str) -> ImmutableSandboxedEnvironment:
    """The sandbox for one part of a mail."""
    return ImmutableSandboxedEnvironment(
        loader=DictLoader(LAYOUT),
        autoescape=part == "html",
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=part == "text",
    )


ENVIRONMENTS = {part: environment(part) for part in PARTS}


def render_part(part: str, source: str, variables: dict[str, Any]) -> str:
    """One part. Raises Refused."""
    pieces: list[str] = []
    size = 0
    try:
        for piece in ENVIRONMENTS[part].from_string(source).generate(**variables):
            size += len(piece)
            if size > MOST_OUTPUT:
                raise Refused(part, f"it makes more than {MOST_OUTPUT:,} characters")
            pieces.append(piece)
    except TemplateSyntaxError as error:
        raise Refused(part, f"line {error.lineno}: {error.message}") from None
    except SecurityError as error:
        raise Refused(part, f"it uses what templates may not use: {error}") from None
    except UndefinedError as error:
        raise Refused(part, f"{error.message}; give it as an argument") from None
    except MemoryError:
        pieces.clear()
        raise Refused(part, "it needs more memory than a template gets") from None
    except (
        TemplateError,
        ArithmeticError,
        AssertionError,
        LookupError,
        TypeError,
        ValueError,
        RecursionError,
        AttributeError,
        OSError,
    ) as error:
        raise Refused(part, f"{type(error).__name__}: {error}"[:300]) from None
    return "".join(pieces)


def variables_of(template: dict[str, str]) -> list[str]:
    """The names that the parts of a template use. Raises Refused."""
    found: set[str] = set()
    for part in PARTS:
        try:
            names = meta.find_undeclared_variables(ENVIRONMENTS[part].parse(template[part]))
            found |= names - GIVEN.keys() if part == "html" else names
        except TemplateSyntaxError as error:
            raise Refused(part, f"line {error.lineno}: {error.message}") from None
        except (RecursionError, MemoryError):
            raise Refused(part, "it is nested too deep") from None
    return sorted(found - set(ENVIRONMENTS["html"].globals))


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What one line asks for: the rendered parts, or the names of the variables."""
    template: dict[str, str] = asked["template"]
    try:
        if "variables" not in asked:
            return {"names": variables_of(template)}
        variables: dict[str, Any] = asked["variables"]
        subject = " ".join(render_part("subject", template["subject"], variables).split())
        text = render_part("text", template["text"], variables)
        html = render_part("html", template["html"], variables | GIVEN | asked["layout"] | {"subject": subject})
    except Refused as refused:
        return {"field": refused.field, "reason": refused.reason}
    return {"subject": subject, "text": text, "html": html}


def main() -> None:
    """Answer line by line until standard input closes."""
    for module in IMPORTED_LATER:
        import_module(module)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    # It opens nothing any more: no file, among them the environment of the worker in /proc, and no connection.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
