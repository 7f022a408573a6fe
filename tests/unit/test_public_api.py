"""What people import, and what that costs them."""

import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest

import arqlight

HEAVY = ("arq", "redis", "pydantic", "aiohttp", "sqlalchemy", "cryptography", "alembic", "jinja2", "pyarrow", "obstore")


def _loaded(statement: str) -> set[str]:
    """The heavy packages that a fresh interpreter has loaded after `statement`."""
    told = f"{statement}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_every_name_of_the_public_api_is_there() -> None:
    for name in arqlight.__all__:
        assert getattr(arqlight, name) is not None
    assert {"Client", "NewJob", "task", "Backoff", "Worker"} <= set(arqlight.__all__)
    assert set(dir(arqlight)) >= set(arqlight.__all__)
    assert arqlight.__version__ == version("arqlight")
    with pytest.raises(AttributeError, match="'arqlight' has no attribute 'nothing'"):
        arqlight.nothing  # noqa: B018


def test_a_name_stays_what_it_is_whatever_was_imported_before() -> None:
    told = (
        "from arqlight import Client, Worker, create_worker, Family\nfrom arqlight import task\nassert callable(task)"
    )
    subprocess.run([sys.executable, "-c", told], check=True)


@pytest.mark.parametrize(
    ("statement", "loaded"),
    [
        ("import arqlight", set()),
        ("import arqlight_service", set()),
        ("import arqlight_service.cli.main", set()),
        ("from arqlight import Worker, Client, task, Family, PeriodicJob, load_settings", {"arq", "redis"}),
        ("import arqlight_service.cli.worker", {"arq", "redis"}),
    ],
)
def test_nothing_is_imported_before_it_is_needed(statement: str, loaded: set[str]) -> None:
    found = _loaded(statement)
    # Optional to arq's own dependencies: PyJWT loads it where it is installed.
    assert found - {"cryptography"} == loaded


async def test_a_worker_needs_no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    async def add(ctx: dict[str, Any], left: int, right: int) -> int:
        return left + right

    plain = arqlight.Worker(functions=[add], handle_signals=False)
    assert plain.redis_settings is not None
    assert (plain.redis_settings.host, plain.redis_settings.port) == ("localhost", 6379)
    monkeypatch.setenv("ARQLIGHT_REDIS_URL", "redis://jobs.example:6380/2")
    named = arqlight.Worker(functions=[add], handle_signals=False)
    assert named.redis_url == "redis://jobs.example:6380/2"
