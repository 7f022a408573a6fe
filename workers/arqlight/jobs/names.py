"""Ids, queues and tasks by name: arq's clients may write any bytes, JSON and pages hold text.

Within the program a name is text in which a byte that is not UTF-8 is a lone surrogate, so that it is written back as
it was read. People and programs see an escaped form, `\\xhh`, which means exactly one name.
"""

import re

_UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]|\\(?=x[0-9a-f]{2})")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


def read_name(raw: bytes) -> str:
    """A name as the server has it."""
    return raw.decode("utf-8", "surrogateescape")


def raw_name(name: str) -> bytes:
    """The name as the server has it."""
    return name.encode("utf-8", "surrogateescape")


def shown_name(name: str) -> str:
    """The name for people, JSON and addresses: `\\xhh` for a byte that is not UTF-8, and for a control character."""
    return _UNSHOWABLE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", name)


def name_shown_as(shown: str) -> str:
    """The name that is shown as `shown`; what no name is shown as stays what it is."""
    try:
        raw = raw_name(shown)
    except UnicodeEncodeError:  # half a surrogate pair: no name of any bytes is read so
        return shown
    return read_name(_ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), raw))
