"""Cells of a CSV file that a spreadsheet shows as text, and does not run."""

import json
from typing import Any

# A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width ones count too


def shown_cell(value: Any) -> Any:
    """A value of JSON as a cell: an object as JSON, a text that begins as a formula behind an apostrophe."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    # Blanks in front do not keep a spreadsheet from seeing the formula.
    is_formula = isinstance(value, str) and (value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA))
    return f"'{value}" if is_formula else value
