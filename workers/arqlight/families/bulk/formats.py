"""The formats of exports. Each writer takes rows in groups and holds no more than one of them."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import date, datetime
from importlib.util import find_spec
from typing import Any, BinaryIO, Protocol

from sqlalchemy import Table

from arqlight.errors import InvalidInput
from arqlight.extras import MissingExtra, needed_for
from arqlight.families.bulk.plain_value import plain_value
from arqlight.families.spreadsheet_cells import shown_cell

FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl", "parquet": "application/vnd.apache.parquet"}


class Writer(Protocol):
    """Writes rows into a file."""

    def write(self, rows: Sequence[Any]) -> None:
        """A group of rows, each in the order of the table's columns."""

    def finish(self) -> None:
        """What comes behind the last row."""


def check_format(kind: str) -> None:
    """Raises InvalidInput for a format that is none, or whose packages are not installed."""
    if kind not in FORMATS:
        raise InvalidInput("format", f"no format {kind[:100]!r}; there are {', '.join(FORMATS)}")
    if kind == "parquet" and find_spec("pyarrow") is None:
        raise InvalidInput("format", str(MissingExtra("the format parquet", "parquet")))


def open_writer(kind: str, table: Table, file: BinaryIO) -> Writer:
    """The writer of a format. Raises MissingExtra."""
    if kind == "parquet":
        # Arrow takes 50 MB, which a worker that exports none need not hold.
        with needed_for("the format parquet"):
            from arqlight.families.bulk.parquet import ParquetWriter

        return ParquetWriter(table, file)
    return CsvWriter(table, file) if kind == "csv" else JsonLinesWriter(table, file)


class CsvWriter:
    """RFC 4180, UTF-8; texts that a spreadsheet would run are shown as text by a leading apostrophe."""

    def __init__(self, table: Table, file: BinaryIO) -> None:
        self._file = file
        self._write([[column.name for column in table.columns]])

    def write(self, rows: Sequence[Any]) -> None:
        self._write([[_cell(value) for value in row] for row in rows])

    def finish(self) -> None:
        """Nothing follows."""

    def _write(self, rows: list[list[Any]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        self._file.write(text.getvalue().encode("utf-8", "replace"))


class JsonLinesWriter:
    """One object a line (https://jsonlines.org)."""

    def __init__(self, table: Table, file: BinaryIO) -> None:
        self._file = file
        self._names = [column.name for column in table.columns]

    def write(self, rows: Sequence[Any]) -> None:
        lines = [
            json.dumps(dict(zip(self._names, row, strict=True)), default=plain_value, ensure_ascii=False)
            for row in rows
        ]
        self._file.write(("\n".join(lines) + "\n").encode("utf-8", "replace") if lines else b"")

    def finish(self) -> None:
        """Nothing follows."""


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, default=plain_value, ensure_ascii=False)
    return value.isoformat() if isinstance(value, datetime | date) else shown_cell(value)
