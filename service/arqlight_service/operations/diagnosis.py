"""What is wrong with an installation, each in one line with what to do: `arqlight doctor`."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from arq.utils import timestamp_ms

from arqlight.connections.connection import Connection
from arqlight.connections.connection_errors import SERVER_ERRORS, reason_of
from arqlight.connections.finding import Finding, note, trouble
from arqlight.connections.named import Connections
from arqlight.errors import ArqlightError
from arqlight.imports import told
from arqlight.jobs.overview import Overview
from arqlight.jobs.queues import queue_name
from arqlight.settings import Settings
from arqlight.version import __version__
from arqlight_service.auth.users import Users
from arqlight_service.family import Check, service_families
from arqlight_service.operations.status import worker_for

OLD_S = 300
REPEATS = 10
LEAST_DISK = 0.05
CHECK_S = 10.0


async def diagnose(settings: Settings, connections: Connections) -> list[Finding]:
    """Everything found, trouble first."""
    found: list[Finding] = []
    for connection in connections:
        found += [finding async for finding in _of_connection(connection)]
    # A check that several families name is made once.
    checks = {check: family.name for family in reversed(service_families()) for check in family.checks}
    for answers in await asyncio.gather(*(_checked(name, check, settings) for check, name in checks.items())):
        found += answers
    found += await _disk(settings)
    home = connections.home
    if settings.auth == "users" and home and not any(f.fault == "unreachable" for f in found):
        found += await _users(home)
    return sorted(found, key=lambda finding: finding.level == "note")


async def _checked(family: str, check: Check, settings: Settings) -> list[Finding]:
    """What a family's check finds. One that raises is a finding itself, and the report goes on."""
    try:
        async with asyncio.timeout(CHECK_S * 2):
            return list(await check(settings))
    except TimeoutError:
        return [trouble("check", f"family {family!r}: its check did not end within {CHECK_S * 2:g} s")]
    except Exception as error:
        return [trouble("check", f"family {family!r}: its check raised {told(error)}; repair or uninstall its package")]


async def _of_connection(connection: Connection) -> AsyncIterator[Finding]:
    """One that does not answer has nothing else to tell."""
    try:
        async with asyncio.timeout(CHECK_S):
            await connection.ping()
            findings = [*_of_jobs(connection.name, await connection.reader.overview(1)), *await _of_causes(connection)]
            if connection.supports("maintenance"):
                findings += await connection.maintenance.findings()
            if connection.can_write:
                findings += await _of_workers(connection)
    except TimeoutError:
        findings = [trouble("unreachable", f"connection {connection.name!r} does not answer within {CHECK_S:g} s")]
    except ArqlightError as error:
        findings = [trouble("unreachable", str(error))]
    except SERVER_ERRORS as error:
        findings = [trouble("unreachable", f"connection {connection.name!r}: {reason_of(error)}")]
    for finding in findings:
        yield finding


def _of_jobs(name: str, overview: Overview) -> list[Finding]:
    found, now = [], timestamp_ms()
    waiting = [queue for queue in overview.queues if queue.queued]
    if waiting and not overview.workers:
        number = sum(queue.queued for queue in waiting)
        found.append(
            trouble(
                "no worker",
                f"connection {name!r}: {number:,} jobs wait and no worker runs: "
                f"{worker_for([queue_name(queue.key) for queue in waiting])}",
            )
        )
    for queue in waiting:
        label = queue_name(queue.key)
        where = f"queue {label!r} of connection {name!r}"
        if queue.paused:
            found.append(trouble("paused", f"{where} is paused and {queue.queued:,} jobs wait there: resume it"))
        elif overview.workers and not queue.workers:
            found.append(
                trouble("unserved", f"{where}: {queue.queued:,} jobs wait, and no worker takes from there: "
                        f"{worker_for([label], by_name=True)}")
            )  # fmt: skip
        elif overview.workers and queue.oldest_ms and now - queue.oldest_ms > OLD_S * 1000:
            age_min = (now - queue.oldest_ms) // 60_000
            found.append(
                trouble("piling up", f"{where}: {queue.queued:,} jobs wait, the oldest for {age_min} minutes: start "
                        "more workers, or look at what runs so long")
            )  # fmt: skip
    return found


async def _of_causes(connection: Connection) -> list[Finding]:
    groups, _ = await connection.reader.groups(0, 20)
    return [
        trouble("repeated failure", f"connection {connection.name!r}: {each['count']:,} jobs of {each['task']} failed "
                f"for one cause, {each['error']}: {str(each['message'])[:120]}")
        for each in groups
        if each["count"] >= REPEATS
    ]  # fmt: skip


async def _of_workers(connection: Connection) -> list[Finding]:
    found = []
    dead = await connection.reader.dead_workers()
    if dead:
        ids = ", ".join(str(worker["id"]) for worker in dead[:3])
        found.append(note("dead worker", f"connection {connection.name!r}: {len(dead)} workers stopped unexpectedly "
                          f"within the hour ({ids}): killed, out of memory, or cut off"))  # fmt: skip
    versions = {str(worker["version"]) for worker in await connection.reader.workers()} - {__version__}
    if versions:
        found.append(note("version", f"connection {connection.name!r}: workers of arqlight {', '.join(versions)} run "
                          f"beside {__version__}: update them together"))  # fmt: skip
    return found


async def _disk(settings: Settings) -> list[Finding]:
    usage = await asyncio.to_thread(_usage, settings.data_dir)
    if usage and usage.free < LEAST_DISK * usage.total:
        return [trouble("disk", f"the disk of {str(settings.data_dir)!r} (ARQLIGHT_DATA_DIR) has "
                        f"{usage.free / 1e6:,.0f} MB left, {usage.free / usage.total:.1%}: free some")]  # fmt: skip
    return []


def _usage(folder: Path) -> Any:
    return shutil.disk_usage(folder) if folder.exists() else None


async def _users(home: Connection) -> list[Finding]:
    if await Users(home.store.users, home.store.used_codes).all():
        return []
    return [trouble("no user", "people have to sign in and there is no user yet: arqlight user add NAME --role admin")]
