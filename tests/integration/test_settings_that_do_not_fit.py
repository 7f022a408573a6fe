"""Values that no setting can have: each stops the start with one sentence that names it, and shows no secret."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from arqlight.errors import SettingsError
from arqlight.family import check_settings
from arqlight.settings import load_settings
from tests.support.commands import assert_one_sentence, run

Spawn = Callable[..., subprocess.Popen[str]]
WRONG = [
    ("HOST", "http://x"), ("HOST", ""), ("DATA_DIR", "/etc/passwd"), ("DATA_DIR", "/etc/passwd/x"),
    ("REDIS_URL", "unix://"), ("REDIS_URL", "redis://"), ("REDIS_URL", "redis+sentinel://a:x/m"),
    ("REDIS_URL", "redis+sentinel://a:99999/m"), ("OBSERVE", "unix://"), ("CONNECTIONS", "a=unix://"),
    ("DATABASE_URL", "foo"), ("DATABASE_URL", "postgresql://user:hunter2@x:port/db"), ("DATABASE_URL", "mysql://x/y"),
    ("DATABASE_URL", "postgresql://x:99999/db"), ("CONNECTIONS", "default=postgresql://x/y"), ("ROUTES", "a=nowhere"),
    ("PUBLIC_URL", "foo"), ("PUBLIC_URL", "https://"), ("PUBLIC_URL", "https://x:port"), ("PUBLIC_URL", "ftp://x"),
    ("ALLOWED_HOSTS", "http://x"), ("ALLOWED_HOSTS", "a.example,b c"), ("ALLOWED_HOSTS", "x:8080"),
    ("CORS_ORIGINS", "x"), ("TRUSTED_PROXIES", "here"), ("PROXY_USER_HEADER", "a b"), ("PROXY_USER_HEADER", ""),
    ("OIDC_ISSUER", "foo"), ("OIDC_CLAIM", ""), ("ALERTS", "depth"), ("ALERT_EMAIL", "ada"), ("ALERT_WEBHOOK", "foo"),
    ("ALERT_QUIET_S", "1e300"), ("QUEUES", ""), ("QUEUES", "a,,b"), ("QUEUES", "high=x"), ("QUEUES", "a=1,b"),
    ("QUEUES", "a,a"), ("QUEUES", "a=0"), ("QUEUE_LIMITS", "bulk=0"), ("QUEUE_LIMITS", "bulk"), ("QUEUE_LIMITS", "=5"),
    ("KEEP_EVENTS", "9" * 19), ("KEEP_FAILED", "9" * 19), ("MAX_BODY_BYTES", "9" * 19), ("SECRET_KEY", "short"),
    ("SMTP_HOST", "smtp://x"), ("SMTP_CA_FILE", "/nowhere.pem"), ("SMTP_FROM", "nobody"), ("SMTP_FROM", ""),
    ("SMTP_SEND_TIMEOUT_S", "1e300"), ("WEBHOOK_SECRET", "hunter2"), ("WEBHOOK_SECRET", "whsec_hunter2!"),
    ("WEBHOOK_SECRET", "whsec_"), ("WEBHOOK_TIMEOUT_S", "1e300"), ("WEBHOOK_ALLOWED_NETWORKS", "x"),
    ("KEEP_DELIVERIES_D", "1e300"), ("STORAGE_URL", "s3://"), ("STORAGE_URL", "foo"), ("STORAGE_URL", "file://x/y"),
    ("STORAGE_URL", "file:///etc/passwd/x"), ("EXPORT_KEEP_H", "1e300"), ("LICENCE_KEY_FILE", "/nowhere.pem"),
    ("ENVATO_URL", "foo"), ("GUMROAD_URL", "foo"), ("LEMONSQUEEZY_URL", "foo"), ("SYNC_LOOK_BACK_DAYS", "0"),
]  # fmt: skip
RIGHT = [
    ("HOST", "::1"), ("HOST", "jobs.internal"), ("REDIS_URL", "unix:///run/valkey.sock?db=1"), ("DATABASE_URL", ""),
    ("DATABASE_URL", "postgres://u:p%40@h:5432/d?sslmode=require"), ("DATABASE_URL", "postgresql+psycopg://h/d"),
    ("DATABASE_URL", "postgresql:///d?host=/run/postgresql"), ("PUBLIC_URL", "https://jobs.example.org:8443/arq/"),
    ("PUBLIC_URL", ""), ("ALLOWED_HOSTS", "a.internal, 10.0.0.1,::1"), ("ALERT_EMAIL", "ada@example.org"),
    ("QUEUES", "high=6, default=3"), ("QUEUES", "arq:mine"), ("QUEUE_LIMITS", ""), ("QUEUE_LIMITS", "a=5, b=2"),
    ("SMTP_FROM", "arqlight <no-reply@localhost>"), ("SMTP_FROM", "a@b"), ("STORAGE_URL", "s3://bucket/prefix"),
    ("STORAGE_URL", "file:///not/yet"), ("WEBHOOK_SECRET", "whsec_" + "ZGVtby1vbmx5"),
    ("CONNECTIONS", "a=redis://x,b=redis://y"), ("OIDC_ISSUER", "http://127.0.0.1:8000/realm"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_value_that_does_not_fit_is_named_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"ARQLIGHT_{name}", value)
    with pytest.raises(SettingsError) as refused:
        check_settings(load_settings())
    said = str(refused.value)
    assert said.startswith(f"setting ARQLIGHT_{name}")
    assert "\n" not in said
    assert "hunter2" not in said


@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_a_value_that_is_unusual_and_fits_is_taken(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"ARQLIGHT_{name}", value)
    check_settings(load_settings())


def test_the_name_default_is_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARQLIGHT_CONNECTIONS", "default=redis://other")
    with pytest.raises(SettingsError, match="'default': that is the Redis or Valkey of ARQLIGHT_REDIS_URL"):
        load_settings()


@pytest.mark.parametrize("command", ["worker", "server", "up"])
@pytest.mark.parametrize(("name", "value"), [("QUEUE_LIMITS", "bulk=0"), ("ENVATO_URL", "foo")])
def test_every_command_refuses_it_before_anything_starts(tmp_path: Path, command: str, name: str, value: str) -> None:
    data_dir = tmp_path / "data"
    ended = run(command, "--data-dir", str(data_dir), "--port", "0", environment={f"ARQLIGHT_{name}": value})
    assert_one_sentence(ended, f"setting ARQLIGHT_{name}={value!r}: ")
    assert not data_dir.exists()


@pytest.mark.parametrize("command", ["worker", "server", "up", "doctor"])
def test_a_data_directory_that_is_a_file_is_one_sentence(tmp_path: Path, command: str) -> None:
    (tmp_path / "data").write_text("a file")
    assert_one_sentence(run(command, "--data-dir", str(tmp_path / "data")), "is a file; name a folder")


def test_a_data_directory_that_cannot_be_made_is_one_sentence() -> None:
    assert_one_sentence(run("up", "--data-dir", "/proc/not-here", "--port", "0"), "ARQLIGHT_DATA_DIR='/proc/not-here' cannot be used")  # fmt: skip


def test_a_private_key_file_that_holds_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("nothing")
    ended = run("worker", "--licence-key-file", str(tmp_path / "key.pem"))
    assert_one_sentence(ended, "is no private key in PEM without a password")


async def test_a_setting_that_is_none_is_said_with_the_nearest_name_and_stops_nothing(
    pool: ArqRedis, spawn: Spawn, tmp_path: Path
) -> None:
    mine = {"ARQLIGHT_MAX_JOB": "5", "ARQLIGHT_SERVICE_HOST": "10.0.0.1", "ARQLIGHT_DATA_DIR": str(tmp_path / "data")}
    worker = spawn("worker", "--burst", **mine)
    assert worker.stdout
    said = worker.stdout.read()
    assert "ARQLIGHT_MAX_JOB is no setting; did you mean ARQLIGHT_MAX_JOBS?" in said
    assert "SERVICE_HOST" not in said
    assert worker.wait() == 0
