"""Plug-ins that are made wrong: each is one sentence that names the family, and nothing is started."""

from pathlib import Path

import pytest
from arq.connections import ArqRedis

from arqlight.settings import Settings
from tests.support.commands import assert_one_sentence, run
from tests.support.plug_in import CRM, CRM_POINTS, install

WORKER, SERVICE = "acme_crm/worker.py", "acme_crm/service.py"
BATCH = '    crm_batch: int = option(10, "Customers at a time.", least=1, most=100)'
HOOK = "on_startup=open_clients"
SCHEDULE = 'return [PeriodicJob("crm-greetings", "0 9 * * *", "greet_customer", queue_key("crm"), {"name": "all"})]'
# Of each: what is in the place of what, in the worker's half, and what is said.
WORKER_HALVES = [
    ("tasks=[greet_customer]", 'tasks=["acme_crm.tasks:gone"]', "task 'acme_crm.tasks:gone' cannot be imported"),
    ("tasks=[greet_customer]", 'tasks=["acme_crm.broken:gone"]', "cannot be imported: ZeroDivisionError: division by zero ("),
    ("tasks=[greet_customer]", 'tasks=["acme_crm.quits:gone"]', "ended its import with sys.exit(None)"),
    (HOOK, 'on_startup="acme_crm:nope"', "on_startup 'acme_crm:nope' is not there: module 'acme_crm' has no 'nope'"),
    (HOOK, 'on_startup="a.b.c"', "on_startup 'a.b.c' is no name; write package.module:name"),
    (HOOK, "on_startup=print", "on_startup is no coroutine function; write async def"),
    (HOOK, "on_startup=5", "on_startup is no coroutine function"),
    (HOOK, f"{HOOK}, tidy=schedules", "tidy is no coroutine function"),
    (SCHEDULE, "return {}['x']", "schedules raised KeyError: 'x' ("),
    (SCHEDULE, "return None", "schedules returns a NoneType; it must be a list"),
    (SCHEDULE, "return [5]", "a schedule is a int; make each with PeriodicJob(...)"),
    (SCHEDULE, SCHEDULE.replace("0 9 * * *", "0 99 * * *"), "schedule 'crm-greetings': cron: '0 99 * * *' is no cron"),
    (SCHEDULE, SCHEDULE.replace("greet_customer", "nobody"), "needs task 'nobody', and no installed family has it"),
    (HOOK, f"{HOOK}, check=lambda settings: 1 / 0", "check raised ZeroDivisionError: division by zero ("),
    (BATCH, "    crm_batch: int", "non-default argument"),
    (BATCH, '    crm_batch: list[str] = option("x", "Names.")', "a field 'crm_batch' of a type that no setting has"),
    (BATCH, '    crm_batch: "Gone" = option("x", "Names.")', "have a type that cannot be read: NameError"),
    (BATCH, '    crm_batch: int = option("ten", "At a time.")', "'crm_batch' whose default 'ten' does not fit it"),
    (BATCH, '    crm_batch: int = option(0, "At a time.", least=1)', "'crm_batch' whose default 0 does not fit it"),
    (BATCH, '    port: int = option(10, "A port.")', "a field 'port', which is a setting of the core; rename it"),
    (BATCH, '    smtp_host: str = option("x", "A host.")', "a field 'smtp_host', which is a setting of family 'email'"),
    ("class CrmSettings(FamilySettings)", "class CrmSettings", "name a class that inherits FamilySettings"),
    ("settings=CrmSettings", "settings=5", "its settings are 5; name a class that inherits FamilySettings"),
    ("@dataclass(frozen=True)\n", "", "are no dataclass; write @dataclass(frozen=True) above the class"),
    ("async def greet_customer", "def greet_customer", "task 'greet_customer' is no coroutine function; write async def"),
]  # fmt: skip
CHECK = "async def look(settings): {}['x']\n"
SERVICE_HALVES = [
    ('Path(__file__).parent / "templates"', 'Path("/nowhere")', "its templates are in no folder: '/nowhere'"),
    ('(NavigationEntry("/customers", "Customers", "customers"),)', '(("/x", "X"),)', "is no NavigationEntry("),
    ("routes=tuple(routes)", "routes=(5,)", "a route of it is none"),
    ("routes=tuple(routes)", "routes=tuple(routes), cleanup=5", "its cleanup are 5; write a tuple of functions"),
    ("routes=tuple(routes)", "routes=tuple(routes), cleanup=(lambda app: 1 / 0,)", "cannot start: ZeroDivisionError"),
]


def _install(folder: Path, half: str, old: str, new: str) -> Path:
    assert old in CRM[half]
    extra = {"acme_crm/broken.py": "1 / 0", "acme_crm/quits.py": "import sys\nsys.exit()"}
    install(folder, "acme-crm", {**CRM, **extra, half: CRM[half].replace(old, new)}, CRM_POINTS)
    return folder


@pytest.mark.parametrize(("old", "new", "said"), WORKER_HALVES)
def test_a_workers_half_that_cannot_work_is_one_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = _install(tmp_path, WORKER, old, new)
    ended = run("worker", "--data-dir", str(tmp_path / "data"), path=path)
    assert_one_sentence(ended, said)
    assert "family 'crm'" in ended.told
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("old", "new", "said"), SERVICE_HALVES)
def test_a_services_half_that_cannot_work_is_one_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = _install(tmp_path, SERVICE, old, new)
    ended = run("server", "--port", "0", "--data-dir", str(tmp_path / "data"), path=path)
    assert ended.code == 2, ended.told
    assert said in ended.told.splitlines()[-1]
    assert "family 'crm'" in ended.told.splitlines()[-1]
    assert "Traceback" not in ended.told


@pytest.mark.parametrize("command", ["server", "up", "doctor"])
def test_other_commands_say_it_too(tmp_path: Path, command: str) -> None:
    path = _install(tmp_path, WORKER, HOOK, 'on_startup="acme_crm:nope"')
    ended = run(command, "--data-dir", str(tmp_path / "data"), path=path)
    assert_one_sentence(ended, "family 'crm': on_startup 'acme_crm:nope' is not there")
    assert not (tmp_path / "data").exists()


def test_a_check_that_raises_is_a_finding_and_the_report_goes_on(tmp_path: Path) -> None:
    files = {
        **CRM,
        SERVICE: CHECK + CRM[SERVICE].replace("routes=tuple(routes)", "routes=tuple(routes), checks=(look,)"),
    }
    install(tmp_path, "acme-crm", files, CRM_POINTS)
    ended = run("doctor", "--json", "--data-dir", str(tmp_path / "data"), path=tmp_path)
    assert ended.code == 1, ended.told
    assert ended.told == ""
    assert "family 'crm': its check raised KeyError: 'x'" in ended.printed
    assert "unreachable" in ended.printed


def test_a_familys_on_startup_that_raises_is_said_first_and_names_it(
    tmp_path: Path, pool: ArqRedis, settings: Settings
) -> None:
    path = _install(tmp_path, WORKER, 'ctx["crm"] = []', 'raise ConnectionError("away")')
    url = {"ARQLIGHT_REDIS_URL": str(settings.redis_url)}
    ended = run("worker", "--log-level", "ERROR", path=path, environment=url)
    assert ended.code == 1
    first = ended.told.splitlines()[0]
    assert first.startswith("arqlight: on_startup failed, so the worker does not start: ConnectionError: away (")
    assert first.endswith("in on_startup of family 'crm'")
