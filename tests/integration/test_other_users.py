"""The embedded servers and the data directory belong to who started them: another user of the machine gets nothing."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import psycopg
import pytest
from arq.connections import RedisSettings, create_pool
from redis import Redis

from arqlight.embedded.postgres import LONGEST_SOCKET, postgres_server
from arqlight.errors import SettingsError
from arqlight.families.storage import Folder
from arqlight.key_ring import KeyRing
from arqlight.private_files import OTHERS
from arqlight.settings import ADDRESS_FILE, DATABASE_FILE, IN_DATA_DIR, LOCK_FILE, load_settings
from arqlight_service.cli.start import check_start
from tests.conftest import ROOT
from tests.integration.test_commands import _command, _get
from tests.support.another_user import ANOTHER, another_user, opened, refused
from tests.support.waiting import eventually

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
PAGES = ("/", "/jobs", "/failed", "/queues", "/workers", "/logs", "/charts", "/settings", "/schedules", "/readyz",
         "/metrics", "/api/v1/connections", "/api/v1/workers", "/api/v1/stats", "/api/v1/logs")  # fmt: skip


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may pass through and list; pytest's own are closed already."""
    folder = Path(tempfile.mkdtemp(prefix="arqlight-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _everything(folder: Path) -> list[str]:
    return [str(folder), *map(str, folder.rglob("*"))]


def _open_to_others(folder: Path) -> list[str]:
    return [path for path in _everything(folder) if os.lstat(path).st_mode & OTHERS]


def _ping(port: int) -> None:
    Redis(port=port).ping()


def _write_token(port: int) -> None:
    Redis(port=port).hset("arqlight:tokens", "mine", "admin")


def _connect(url: str) -> None:
    psycopg.connect(url).close()


def _as_earlier_versions_made_it(data: Path) -> None:
    (data / "exports").mkdir(parents=True)
    (data / "valkey").mkdir()
    for name in ("lock", "exports/licences-ex_1.csv", "valkey/valkey.log"):
        (data / name).write_text("")
    for path in _everything(data):
        os.chmod(path, 0o755 if os.path.isdir(path) else 0o644)


@needs_root
async def test_another_user_reaches_neither_the_servers_nor_a_file_and_no_password_is_told(public: Path) -> None:
    data, said = public / "data", public / "said"
    _as_earlier_versions_made_it(data)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ARQLIGHT_")}
    with said.open("w") as output:
        up = subprocess.Popen(
            [sys.executable, "-m", "arqlight_service", "up", "--data-dir", str(data)],
            cwd=ROOT, env=clean | {"PORT": "0"}, stdout=output, stderr=output, start_new_session=True, umask=0,
        )  # fmt: skip
    try:
        [page] = await eventually(lambda: re.findall(r"arqlight is at (http://\S+)/", said.read_text()), within_s=40)
        redis_url, database_url = ((data / name).read_text().strip() for name in (ADDRESS_FILE, DATABASE_FILE))
        assert str(data / ADDRESS_FILE) in said.read_text()

        settings = RedisSettings.from_dsn(redis_url)
        pool = await create_pool(settings)  # of a plain arq client
        assert await pool.enqueue_job("deliver_webhook", url="ftp://nowhere", _job_id="bad") is not None
        await pool.aclose()
        password, port = str(settings.password), settings.port

        await eventually(lambda: _get(page, "/readyz"), within_s=30)
        await eventually(lambda: "Starting worker" in said.read_text(), within_s=30)
        with another_user() as ask:
            assert ask(opened, _everything(data)) == []
            assert "Authentication required" in ask(refused, _ping, port)
            assert "Authentication required" in ask(refused, _write_token, port)
            assert "Permission denied" in ask(refused, _connect, database_url)
        assert _open_to_others(data) == []
        assert said.read_text().count("to other users of this machine") == 1
        assert "closed 6 files and directories" in said.read_text()

        told = {"what was said": said.read_text()}
        async with aiohttp.ClientSession(page) as session:
            for path in PAGES:
                async with session.get(path) as answer:
                    assert answer.status == 200, path
                    told[path] = await answer.text()
        for command in (["doctor"], ["doctor", "--json"]):
            told[" ".join(command)] = str(_command(data, *command))
        told["valkey.log"] = (data / "valkey" / "valkey.log").read_text()
        told["postgres log"] = (data / "postgres" / "log").read_text()
        told["ps"] = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        assert "arqlight.embedded.valkey" in told["ps"]
        assert [place for place, text in told.items() if password in text] == []
    finally:
        up.terminate()
        assert up.wait(40) == 0


@needs_root
@pytest.mark.parametrize("name", ["pg", "x" * LONGEST_SOCKET])
def test_postgres_of_root_opens_no_folder_above_its_own_and_lets_nobody_else_in(public: Path, name: str) -> None:
    closed = public / "closed"
    closed.mkdir(mode=0o700)
    with postgres_server(closed / name) as url, another_user() as ask:
        _connect(url)
        sockets = url.partition("host=")[2]
        assert "Permission denied" in ask(refused, _connect, url)
        assert _open_to_others(closed) == _open_to_others(Path(sockets)) == []
    assert not list(Path(sockets).glob(".s.*"))


@needs_root
def test_postgres_of_a_user_who_is_not_root_runs_as_that_user_and_starts_again(public: Path) -> None:
    os.chown(public, ANOTHER, ANOTHER)
    with another_user() as ask:
        assert [ask(_owner_of_a_server, public / "postgres") for _ in range(2)] == [ANOTHER, ANOTHER]
    assert _open_to_others(public / "postgres") == []


def _owner_of_a_server(folder: Path) -> int:
    with postgres_server(folder) as url:
        _connect(url)
        return (folder / "postmaster.pid").stat().st_uid


@needs_root
@pytest.mark.parametrize("name", [ADDRESS_FILE, DATABASE_FILE])
def test_a_server_of_somebody_else_is_not_taken_for_the_one_that_up_started(public: Path, name: str) -> None:
    settings, file = load_settings(data_dir=public), public / name
    found = settings.resolved_redis_url if name == ADDRESS_FILE else settings.resolved_database_url
    file.write_text("redis://127.0.0.1:1/0")
    assert found() == "redis://127.0.0.1:1/0"
    for mode, owner in ((0o666, 0), (0o600, ANOTHER)):
        file.chmod(mode)
        os.chown(file, owner, owner)
        with pytest.raises(SettingsError, match="another user may have written it"):
            found()


@needs_root
@pytest.mark.parametrize("owner", [0, ANOTHER])
def test_up_refuses_a_data_directory_that_others_rule(public: Path, owner: int) -> None:
    (public / "of others").write_text("")
    public.chmod(0o777 if owner == 0 else 0o755)
    os.chown(public, owner, owner)
    lock = public / LOCK_FILE
    lock.write_text("")
    lock.chmod(0o644)
    os.chown(lock, owner, owner)
    done = _command(public, "up", "--port", "0")
    assert (done.returncode, "choose a directory of your own" in done.stderr) == (2, True), done.stderr
    if owner != 0:
        assert lock.stat().st_mode & 0o777 == 0o644
        assert public.stat().st_mode & 0o777 == 0o755


@needs_root
def test_an_empty_data_directory_of_another_user_keeps_its_rights(public: Path) -> None:
    public.chmod(0o755)
    os.chown(public, ANOTHER, ANOTHER)
    assert _command(public, "up", "--port", "0").returncode == 2
    assert public.stat().st_mode & 0o777 == 0o755
    assert list(public.iterdir()) == []


@pytest.fixture(params=[0, 0o777])
def any_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_keys_and_exports_are_their_owners_whatever_the_umask(public: Path, any_umask: None) -> None:
    data = public / "a" / "b"
    KeyRing(load_settings(data_dir=data)).derive("anything")
    export = Folder(data / "exports").create("licences-ex_1.csv")
    export.write(b"secret")
    assert _open_to_others(public / "a") == []  # also while it is written
    export.close()
    found = {Path(path).name: os.stat(path).st_mode & 0o777 for path in _everything(public / "a")}
    assert found == {"a": 0o700, "b": 0o700, "exports": 0o700, "secret-key": 0o600, "licences-ex_1.csv": 0o600}


def test_exports_that_an_earlier_version_left_in_a_folder_elsewhere_are_closed(public: Path) -> None:
    for name in ("licences-ex_1.csv", "of others"):
        (public / name).write_text("")
        (public / name).chmod(0o644)
    Folder(public)
    assert _open_to_others(public) == [str(public), str(public / "of others")]


def test_the_data_of_a_running_up_is_left_to_it(public: Path) -> None:
    lock = public / "lock"
    lock.write_text("")
    lock.chmod(0o644)
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        check_start(load_settings(data_dir=public))
        assert str(lock) in _open_to_others(public)
    check_start(load_settings(data_dir=public))
    assert _open_to_others(public) == []


def test_a_valkey_that_was_left_behind_ends_before_the_next_one_takes_its_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "arqlight.embedded.valkey", str(tmp_path)]
    servers = []
    for _ in range(2):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        with Redis.from_url((tmp_path / ADDRESS_FILE).read_text().strip()) as valkey:
            servers.append((valkey.info("server")["process_id"], valkey.incr("starts")))
        process.kill()
        process.communicate()
    os.kill(servers[1][0], signal.SIGTERM)
    assert servers[0][0] != servers[1][0]
    assert [starts for _, starts in servers] == [1, 2]
    first = Path(f"/proc/{servers[0][0]}/status")
    assert not first.exists() or "(zombie)" in first.read_text()


def test_what_is_not_ours_keeps_its_rights(public: Path) -> None:
    from arqlight.private_files import close_all

    for name in ("lock", "somebody's"):
        (public / name).write_text("")
        (public / name).chmod(0o644)
    (public / "exports").symlink_to("somebody's")
    assert close_all(public, IN_DATA_DIR) == 1
    assert _open_to_others(public) == [str(public), str(public / "exports"), str(public / "somebody's")]
    assert close_all(public / "missing", IN_DATA_DIR) == 0
