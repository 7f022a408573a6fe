"""Texts that people and programs give: what a database, a page and a log can all hold."""

from arqlight.errors import InvalidInput


def check_text(field: str, text: str, longest: int, *, shortest: int = 0, lines: bool = False) -> str:
    """`text`, when it has `shortest` to `longest` characters that can be stored and shown.

    With `lines` it may have several lines, and tabs. Raises InvalidInput.
    """
    if not shortest <= len(text) <= longest:
        raise InvalidInput(field, f"it has {len(text):,} characters; give {shortest:,} to {longest:,}")
    shown = text.translate({ord(character): " " for character in "\r\n\t"}) if lines else text
    for place, character in enumerate(shown, start=1):
        # Not isprintable(): that refuses spaces of other languages and private characters, which do no harm.
        if ord(character) < 32 or ord(character) == 127 or 0xD800 <= ord(character) <= 0xDFFF:
            raise InvalidInput(field, f"character {place} is a control character or no valid Unicode")
    return text
