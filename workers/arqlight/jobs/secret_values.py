"""Where values stand in running text behind the names of secrets: JSON, logs, headers, commands, XML, forms."""

import re
from collections.abc import Callable, Iterator

from arqlight.jobs.secret_names import is_ambiguous, is_header, is_secret

Span = tuple[int, int]
_NAME = r"(?P<name>[^\W\d][\w-]{0,60})"
# Of JSON in JSON each quote has backslashes before it.
_QUOTE = r"\\*[\"']"
_NAMED = re.compile(rf"(?<![\w-])-{{0,2}}(?P<open>{_QUOTE})?{_NAME}(?P<close>{_QUOTE})?(?P<between>\s*[=:]>?\s*)")
# `--password s`, `["X-Api-Key", "s"]`, `[["password", "s"]]`
_OPTION = re.compile(rf"(?<!\S)--{_NAME}[ \t]+(?!-)")
_PAIR = re.compile(
    rf"(?P<outer>[\[(,]\s*)?[\[(,]\s*b?(?P<quote>{_QUOTE})(?P<dashes>-{{0,2}}){_NAME}(?P=quote)(?=(?P<gap>\s*,\s*))"
)
# `{"name": "Authorization", "value": "s"}`, `<add key="password" value="s"/>`
_NAME_AND_VALUE = re.compile(
    rf"(?i)\b(?:name|key|header|field|param(?:eter)?)\\*[\"']?\s*[:=]\s*\\*[\"']?{_NAME}\\*[\"']?[^{{}}<>\n]{{0,200}}?"
    r"\bvalue\\*[\"']?\s*[:=]\s*"
)
_ELEMENT = re.compile(
    rf"<(?:[\w-]{{1,60}}:)?{_NAME}(?:\s[^<>]{{0,500}})?>(?P<value>\s*<!\[CDATA\[.*?\]\]>|[^<]+)", re.DOTALL
)
_PART_OF_A_FORM = re.compile(
    rf"(?i)\bform-data;\s*name=[\"']?{_NAME}[\"']?[^\n]{{0,300}}\r?\n(?:[^\r\n]+\r?\n){{0,9}}\r?\n(?P<value>[^\r\n]+)"
)
_BARE = re.compile(r"[^\s,;&\"'()\[\]{}<>\\]+")
# Of YAML: `password: |`, and the lines below it.
_BLOCK = re.compile(r"[|>][+-]?[ \t]*\n(?P<indent>[ \t]+)(?P<value>[^\n]*(?:\n(?P=indent)[^\n]*)*)")
_PREFIX = re.compile(r"[bBrRuUfF]{0,2}(?=\\*[\"'])")
_OPENING = re.compile(_QUOTE)
_CLOSING = {'"': re.compile(r'(?:[^"\\]|\\.)*"', re.DOTALL), "'": re.compile(r"(?:[^'\\]|\\.)*'", re.DOTALL)}
_MARKS = re.compile(r"\\*[\"']|[\[\]{}]")
# Whole lines of HTTP: `Authorization: Token s`, `Cookie: a=b; c=d`.
_LINES = {"authorization", "proxy-authorization", "cookie", "set-cookie"}
_SCHEME = re.compile(r"[A-Za-z][\w-]*[ \t]+(?=\S*[\d_~+/])\S+")  # and a token behind it
_REST = {None: re.compile(r"[^\r\n]+"), '"': re.compile(r'[^\r\n"]+'), "'": re.compile(r"[^\r\n']+")}
_CONSTANTS = frozenset({"None", "True", "False", "null", "true", "false", "undefined", "nil", "await", "not", "lambda"})
_CHAIN = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")
_OF_A_PROGRAM = re.compile(r"(?:self|cls|os|settings|config|request|args|kwargs|options|response)\.[\w.]+")
_LETTERS = re.compile(r"[^\W\d_]{1,15}[.!?…]*")
_SHORTEST_AMBIGUOUS = 4
_SHORTEST_JOINED = 6
# `token: unexpected character`, not `password: hunter`
_SAID_OF = frozenset({"token", "tokens", "bearer", "jwt", "auth", "authorization", "signature", "secret", "secrets"})
_SAID = frozenset({
    "is", "was", "are", "must", "may", "the", "a", "an", "no", "not", "and", "or", "required", "missing", "invalid",
    "incorrect", "wrong", "too", "empty", "expected", "expired", "unset", "set", "does", "cannot", "should", "this",
    "field", "value", "string", "str", "bytes", "pass", "for", "of", "in", "optional",
})  # fmt: skip


def secret_spans(text: str) -> list[Span]:
    """Begin and end of each value that a name before it says is a secret, without its quotes; none overlap."""
    found = [*_found(_NAMED, text, _behind_name)]
    # Each of these takes as long as the first, and most texts have nothing of them.
    if "--" in text:
        found += _found(_OPTION, text, lambda text, found: _value_at(text, found.end(), False))
    if "," in text and ("[" in text or "(" in text):
        found += _found(_PAIR, text, _behind_comma)
    if "value" in text.lower():
        found += _found(_NAME_AND_VALUE, text, lambda text, found: _value_at(text, found.end(), True))
    if "<" in text:
        found += _found(_ELEMENT, text, lambda _, found: found.span("value"))
    if "form-data" in text.lower():
        found += _found(_PART_OF_A_FORM, text, lambda _, found: found.span("value"))
    found.sort()
    spans: list[Span] = []
    for begin, end in found:
        if begin >= end or (spans and end <= spans[-1][1]):
            continue
        if spans and begin < spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((begin, end))
    return spans


def _found(pattern: re.Pattern[str], text: str, value: Callable[[str, re.Match[str]], Span | None]) -> Iterator[Span]:
    place = 0
    for found in pattern.finditer(text):
        # What stands within a value is not looked at again: one that is never closed goes to the end of the text.
        if found.start() >= place and is_secret(found["name"]) and (span := value(text, found)):
            place = span[1]
            yield span


def _behind_name(text: str, found: re.Match[str]) -> Span | None:
    span = _rest_of_line(text, found) or _value_at(text, found.end(), bool(found["close"]))
    return span if span and _means_its_value(text, found, span) else None


def _behind_comma(text: str, found: re.Match[str]) -> Span | None:
    names_what_follows = found["dashes"] or found["outer"] or is_header(found["name"])
    return _value_at(text, found.end("gap"), True) if names_what_follows else None


def _rest_of_line(text: str, found: re.Match[str]) -> Span | None:
    """Of a header that is one secret as a whole, up to the end of its line or of the text it is quoted in.

    Nothing, as a span, of what is only running text.
    """
    if found["name"].lower() not in _LINES or found["close"] or ":" not in found["between"]:
        return None
    opened = found["open"] or None
    rest = _REST[opened[-1] if opened else None].match(text, found.end())
    if rest is None:
        return None
    line = rest[0].rstrip("\\")
    words = line.split()
    if len(words) <= 1:
        return None
    is_one = len(words) == 2 or "=" in line
    if "cookie" not in found["name"].lower():
        scheme = _SCHEME.match(line)
        line = scheme[0] if scheme and "=" not in line else line
        is_one = is_one or scheme is not None
    return found.end(), found.end() + (len(line) if is_one else 0)


def _value_at(text: str, place: int, is_data: bool) -> Span | None:
    """The value that begins there, without its quotes; one that is never closed goes to the end.

    :param is_data: whether lists and objects are values, as of JSON.
    """
    prefix = _PREFIX.match(text, place)
    begin = prefix.end() if prefix else place
    opening = _OPENING.match(text, begin)
    if opening:
        return _quoted(text, opening)
    if is_data and text[place : place + 1] in ("[", "{"):
        return place, _end_of_container(text, place)
    block = _BLOCK.match(text, place)
    if block:
        return block.span("value")
    bare = _BARE.match(text, place)
    return bare.span() if bare else None


def _quoted(text: str, opening: re.Match[str]) -> Span:
    begin, quote = opening.end(), opening[0]
    if len(quote) == 1:
        closing = _CLOSING[quote].match(text, begin)
        return begin, closing.end() - 1 if closing else len(text)
    for found in _MARKS.finditer(text, begin):
        if found[0] == quote:
            return begin, found.start()
    return begin, len(text)


def _end_of_container(text: str, place: int) -> int:
    depth, inside = 0, None
    for found in _MARKS.finditer(text, place):
        mark = found[0]
        if mark[-1] in "\"'":
            inside = mark if inside is None else None if inside == mark else inside
        elif inside is None:
            depth += 1 if mark in "[{" else -1
            if depth == 0:
                return found.end()
    return len(text)


def _means_its_value(text: str, found: re.Match[str], span: Span) -> bool:
    """`token = read()` is a line of a program, `exit code: 1` and `token: unexpected character` are running text."""
    value, name, between = text[slice(*span)], found["name"], found["between"]
    is_quoted = span[0] > found.end()
    if (found["open"] and found["close"]) or is_quoted or "\n" in between.strip(" "):
        return True
    if value in _CONSTANTS or value == name or (is_ambiguous(name) and len(value) < _SHORTEST_AMBIGUOUS):
        return False
    if "=" in between:
        is_spaced = between != between.strip()
        is_code = _CHAIN.fullmatch(value) if is_spaced else _OF_A_PROGRAM.fullmatch(value)
        return not is_code and text[span[1] : span[1] + 1] not in ("(", "[")
    if is_header(name):
        return True
    if is_ambiguous(name) or (_LETTERS.fullmatch(value) and (name.lower() in _SAID_OF or value.lower() in _SAID)):
        return False
    return between != ":" or (len(value) >= _SHORTEST_JOINED and any(map(str.isdigit, value)))
