"""Jobs as an attack: bytes that would run code, break a reader, or show what nobody should see."""

import asyncio
import datetime
import decimal
import os
import pickle
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis

from arqlight.jobs.serialization import PickleRefused, look_into, read_json, read_plain, write_json


class Bomb:
    """Unpickled by pickle itself, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


async def put(pool: ArqRedis, job_id: str, raw: bytes, queue: str = "arq:queue") -> None:
    await pool.set(f"arq:job:{job_id}", raw)
    await pool.zadd(queue, {job_id: time.time() * 1000})


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -1.5, 2**80, "", "ü\u2028\x00", [], {}, [[[]]], {"a": {"b": [1]}}, b"\x00\xff", {"$type": "date"},
        {1: "int", None: "none", ("t", 1): "tuple"}, {1, "a"}, datetime.date(2026, 11, 24), datetime.time(1, 2, 3),
        datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC), datetime.timedelta(seconds=1.5), decimal.Decimal("0.10"),
        uuid.UUID(int=7),
    ],
)  # fmt: skip
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    assert read_json(write_json({"a": value}))["a"] == value


@pytest.mark.parametrize("value", [object(), print, Bomb(Path("x")), 1j])
def test_other_values_are_not_written(value: Any) -> None:
    with pytest.raises(TypeError, match="has no form in JSON"):
        write_json({"a": [value]})


def test_each_reader_takes_what_it_should() -> None:
    assert read_plain(pickle.dumps({"a": (1, datetime.date(2026, 1, 1))})) == {"a": (1, datetime.date(2026, 1, 1))}
    assert read_plain(write_json({"a": 1})) == {"a": 1}
    with pytest.raises(PickleRefused):
        read_json(pickle.dumps({"a": 1}))
    for raw in (
        b"",
        b"{",
        b"\x80",
        b'{"$type":"system","value":"ls"}',
        b'{"$type":["x"]}',
        b'{"$type":"dict","value":3}',
    ):
        with pytest.raises((ValueError, TypeError)):
            read_plain(raw)
        with pytest.raises(ValueError, match="can be shown"):
            look_into(raw)


def test_a_pickle_that_nests_too_deep_to_hash_is_not_read() -> None:
    depth = 2_000_000
    raw = b"\x80\x04}" + b")" + b"\x85" * depth + b"K\x01s."  # {((((…),),),): 1}
    with pytest.raises(ValueError, match="steps"):
        read_plain(raw)


async def test_a_setting_that_stops_the_bundled_tasks_is_one_line(tmp_path: Path) -> None:
    import subprocess
    import sys

    environment = os.environ | {"ARQLIGHT_LOG_LEVEL": "LOUD", "ARQLIGHT_DATA_DIR": str(tmp_path)}
    run = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "arqlight_service", "worker"], env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert run.stderr.startswith("arqlight: setting ARQLIGHT_LOG_LEVEL='LOUD'")
    assert run.stderr.count("\n") == 1


def test_a_pickle_that_asks_for_all_memory_is_not_read() -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for put in (b"r" + (500_000_000).to_bytes(4, "little"), b"p500000000\n", b"p 500000000\n"):
        for raw in (b"\x80\x02N" + put + b".", b"\x80\x04}" + put + b"."):
            with pytest.raises(ValueError, match=r"memo|not a pickle"):
                look_into(raw)
            with pytest.raises(ValueError, match=r"memo|not a pickle"):
                read_plain(raw)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        value = {"order": ["a reader's text"] * 300, "n": list(range(300))}
        assert read_plain(pickle.dumps(value, protocol)) == value
