"""Parquet, the format of exports that data tools read. Loaded by the export that needs it."""

import json
from collections.abc import Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Boolean, Date, DateTime, Integer, Table
from sqlalchemy.types import TypeEngine

from arqlight.families.bulk.plain_value import plain_value


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
    return json.dumps(value, default=plain_value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
