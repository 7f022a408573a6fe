"""The formats of exports. Each writer takes rows in groups and holds no more than one of them."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Boolean, Date, DateTime, Integer, Table
from sqlalchemy.types import TypeEngine

FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl", "parquet": "application/vnd.apache.parquet"}
# A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width ones count too


class Writer(Protocol):
    """Writes rows into a file."""

    def write(self, rows: Sequence[Any]) -> None:
        """A group of rows, each in the order of the table's columns."""

    def finish(self) -> None:
        """What comes behind the last row."""


def open_writer(kind: str, table: Table, file: BinaryIO) -> Writer:
    """The writer of a format."""
    writers: dict[str, Callable[[Table, BinaryIO], Writer]]
    writers = {"csv": CsvWriter, "jsonl": JsonLinesWriter, "parquet": ParquetWriter}
    return writers[kind](table, file)


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
            json.dumps(dict(zip(self._names, row, strict=True)), default=_plain, ensure_ascii=False) for row in rows
        ]
        self._file.write(("\n".join(lines) + "\n").encode("utf-8", "replace") if lines else b"")

    def finish(self) -> None:
        """Nothing follows."""


class ParquetWriter:
    """Parquet with Zstandard, a row group for each group of rows."""

    def __init__(self, table: Table, file: BinaryIO) -> None:
        self._schema = pa.schema([(column.name, _arrow_type(column.type)) for column in table.columns])
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, rows: Sequence[Any]) -> None:
        columns = zip(*rows, strict=True) if rows else ()
        arrays = [
            pa.array([_fit(value, field.type) for value in column], type=field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        if arrays:
            self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))

    def finish(self) -> None:
        self._writer.close()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        # Blanks in front do not keep a spreadsheet from seeing the formula.
        return f"'{value}" if value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA) else value
    if isinstance(value, dict | list):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    return value.isoformat() if isinstance(value, datetime | date) else value


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


def _arrow_type(kind: TypeEngine[Any]) -> pa.DataType:
    if isinstance(kind, Boolean):
        return pa.bool_()
    if isinstance(kind, Integer):
        return pa.int64()
    if isinstance(kind, DateTime):
        return pa.timestamp("us", tz="UTC")
    if isinstance(kind, Date):
        return pa.date32()
    # Exact: what is money must not become a float.
    return pa.string()


def _fit(value: Any, kind: pa.DataType) -> Any:
    if value is None or kind != pa.string() or isinstance(value, str):
        return value
    return json.dumps(value, default=_plain, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
