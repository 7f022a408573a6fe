"""Extra fields of events: those that are declared for a product are kept, all others dropped."""

import json
from typing import Any

OTHERS = "*"
TYPES = ("text", "number", "boolean")
MOST_FIELDS = 50
LONGEST_NAME, LONGEST_TEXT = 50, 200
LARGEST = 10**15  # up to here each whole number is a double of its own
Declared = dict[str, dict[str, str]]


def parse_declared(text: str) -> Declared:
    """The type of each field, by product. Raises ValueError."""
    try:
        declared = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError('it is no JSON; write {"quill": {"os": "text"}}') from None
    if not isinstance(declared, dict):
        raise ValueError('it is no JSON object; write {"quill": {"os": "text"}}')
    for product, fields in declared.items():
        if not isinstance(fields, dict) or len(fields) > MOST_FIELDS:
            raise ValueError(f"{product[:50]!r} has no object of at most {MOST_FIELDS} fields")
        for name, kind in fields.items():
            if not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
                raise ValueError(f"the name {name[:50]!r} is empty, longer than {LONGEST_NAME} or not printable")
            if kind not in TYPES:
                raise ValueError(f"{name!r} is a {str(kind)[:50]!r}; there are {', '.join(TYPES)}")
    return declared


def of_product(declared: Declared, product: str) -> dict[str, str]:
    """The type of each field that its events may have."""
    return declared.get(OTHERS, {}) | declared.get(product, {})


def trouble_with(value: Any, kind: str) -> str | None:
    """Why a value is none of that type; None for one that is."""
    if kind == "boolean":
        return None if isinstance(value, bool) else f"it is a {type(value).__name__}, not true or false"
    if kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"it is a {type(value).__name__}, not a number"
        return None if -LARGEST <= value <= LARGEST else "it is not between -1e15 and 1e15"
    if not isinstance(value, str):
        return f"it is a {type(value).__name__}, not a text"
    if len(value) > LONGEST_TEXT:
        return f"it has {len(value)} characters; {LONGEST_TEXT} at most"
    return None if value.isprintable() else "it holds control characters or text that is not valid Unicode"
