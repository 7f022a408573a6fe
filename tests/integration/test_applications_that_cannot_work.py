"""`arqlight worker` and `arqlight up` with an application's `WorkerSettings` that no worker can work with."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from arqlight.coroutine_functions import is_awaitable_function
from arqlight.errors import SettingsError
from arqlight.settings import Settings
from arqlight.worker.worker_settings import create_worker
from tests.support.commands import assert_one_sentence, run

Spawn = Callable[..., subprocess.Popen[str]]
GOOD = "async def f(ctx): ...\n"
CANNOT_BE_IMPORTED = [
    ("raise ValueError('no\\nway')", "cannot be imported: ValueError: no way ({app}, line 1)"),
    ("def broken(:", "cannot be imported: SyntaxError: invalid syntax ({app}, line 1)"),
    ("\nimport not_there", "cannot be imported: ModuleNotFoundError: No module named 'not_there' ({app}, line 2)"),
    ("class Other: ...", "module 'app' has no 'WorkerSettings'"),
    ("WorkerSettings = 5", "is a int; name a class, or a dict"),
    ("class WorkerSettings: ...", "no function and no cron job is named"),
]
WRONG = [
    (
        "functions = [__import__('arq').func(f, name='\\ud800')]",
        "functions has one named '\\ud800', which is no UTF-8; rename it",
    ),
    ("functions = [5]", "functions has 5, which is no coroutine function; write async def"),
    ("functions = [print]", "functions has <built-in function print>, which is no coroutine function"),
    ("functions = 'abc'", "functions = 'abc' will not do; it must be a list of coroutine functions"),
    ("functions = ['nope.mod.f']", "the function 'nope.mod.f' cannot be imported: ModuleNotFoundError"),
    ("functions = ['f']", "the function 'f' is no name; write package.module.name"),
    ("cron_jobs = [5]", "cron_jobs = [5] will not do"),
    ("cron_jobs = 5", "cron_jobs = 5 will not do"),
    ("max_jobs = 'x'", "max_jobs = 'x' will not do; it must be a whole number, 1 or more"),
    ("max_jobs = 0", "max_jobs = 0 will not do"),
    ("max_tries = 'many'", "max_tries = 'many' will not do"),
    ("queues = 5", "queues = 5 will not do"),
    ("queues = 'high'", "queues = 'high' will not do"),
    ("queues = ['a', 'a']", "a queue is named twice"),
    ("queue_limits = {'bulk': 0}", "its limit is '0'"),
    ("queue_limits = 7", "queue_limits = 7 will not do"),
    ("queue_name = 5", "queue_name = 5 will not do"),
    ("def startup(ctx): ...\n    on_startup = startup", "it must be a coroutine function (async def)"),
    ("on_shutdown = 'bye'", "on_shutdown = 'bye' will not do"),
    ("on_job_start = 5", "on_job_start = 5 will not do"),
    ("poll_delay = 'often'", "poll_delay = 'often' will not do; it must be seconds, 0 or more, or a timedelta"),
    ("job_timeout = -1", "job_timeout = -1 will not do"),
    ("keep_result = float('nan')", "keep_result = nan will not do"),
    ("redis_settings = 'redis://:hunter2@x'", "redis_settings = a str will not do; it must be arq's RedisSettings"),
    ("job_serializer = 5", "job_serializer = 5 will not do"),
    ("schedules = [5]", "a schedule is a int; make each with PeriodicJob(...)"),
    ("ctx = []", "ctx = [] will not do"),
]


def _write(folder: Path, text: str) -> str:
    (folder / "app.py").write_text(text)
    return str(folder / "app.py")


@pytest.mark.parametrize("command", ["worker", "up"])
@pytest.mark.parametrize(("module", "said"), CANNOT_BE_IMPORTED)
def test_worker_settings_that_cannot_be_had_are_one_sentence_before_anything_starts(
    tmp_path: Path, command: str, module: str, said: str
) -> None:
    app = _write(tmp_path, module)
    ended = run(command, "app.WorkerSettings", "--data-dir", str(tmp_path / "data"), "--port", "0", cwd=tmp_path)
    assert_one_sentence(ended, said.format(app=app))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("line", "said"), WRONG)
def test_a_value_that_no_worker_can_work_with_is_one_sentence(
    tmp_path: Path, settings: Settings, line: str, said: str
) -> None:
    names: dict[str, type] = {}
    functions = "" if line.startswith("functions") else "functions = [f]\n    "
    exec(f"{GOOD}class WorkerSettings:\n    {functions}{line}\n", names)
    with pytest.raises(SettingsError) as refused:
        create_worker(names["WorkerSettings"], settings)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("command", ["worker", "up"])
def test_a_wrong_value_stops_the_command_before_anything_starts(tmp_path: Path, command: str) -> None:
    _write(tmp_path, f"{GOOD}class WorkerSettings:\n    functions = [f]\n    max_jobs = 'x'\n")
    ended = run(command, "app.WorkerSettings", "--data-dir", str(tmp_path / "data"), "--port", "0", cwd=tmp_path)
    assert_one_sentence(ended, "max_jobs = 'x' will not do; it must be a whole number, 1 or more")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("path", [".", ".x", "x.", "a b.C", "app", "", "..", "app.WorkerSettings()"])
def test_a_name_that_is_none_is_one_sentence(tmp_path: Path, path: str) -> None:
    assert_one_sentence(run("worker", path, cwd=tmp_path), f"worker settings {path!r} is no name")


@pytest.mark.parametrize("command", ["worker", "up"])
def test_a_module_that_exits_keeps_its_code_and_is_one_line(tmp_path: Path, command: str) -> None:
    _write(tmp_path, "import sys\nsys.exit(3)")
    ended = run(command, "app.WorkerSettings", "--data-dir", str(tmp_path / "data"), "--port", "0", cwd=tmp_path)
    assert ended[:2] == (3, "arqlight: worker settings 'app.WorkerSettings' ended its import with sys.exit(3)\n")


async def test_an_on_startup_that_raises_is_said_first_and_leaves_nothing(
    pool: ArqRedis, settings: Settings, tmp_path: Path
) -> None:
    hook = "async def start(ctx): raise KeyError('shop')\n"
    app = _write(tmp_path, f"{GOOD}{hook}class WorkerSettings:\n    functions = [f]\n    on_startup = start\n")
    ended = run("worker", "app.WorkerSettings", "--log-level", "ERROR", cwd=tmp_path,
                environment={"ARQLIGHT_REDIS_URL": str(settings.redis_url)})  # fmt: skip
    assert ended.code == 1
    first = ended.told.splitlines()[0]
    assert first == f"arqlight: on_startup failed, so the worker does not start: KeyError: 'shop' ({app}, line 2)"
    assert await pool.keys("*") == []


def test_what_wraps_or_hides_a_coroutine_function_is_taken() -> None:
    async def plain(ctx: dict[str, object]) -> None: ...

    class Callable:
        async def __call__(self, ctx: dict[str, object]) -> None: ...

    assert all(map(is_awaitable_function, (plain, staticmethod(plain), Callable(), lambda ctx: plain(ctx))))
    assert not any(map(is_awaitable_function, (5, "x", print, Path.exists)))
