"""The words of a name, in whatever style it is written: `api_key`, `apiKey`, `Api-Key`."""

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")


def name_words(name: str) -> list[str]:
    """In lower case, and in order; numbers are words too."""
    return [word.lower() for word in _WORD.findall(name)]
