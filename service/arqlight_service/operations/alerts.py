"""Alerts: rules that are looked at every ten seconds, told by our own tasks to an address and a webhook.

A rule is `measure>limit`: `depth` (jobs waiting in a queue), `oldest_s` (how long the oldest waits), `failure_rate`
(0 to 1, of what ended within five minutes), `no_worker_s` (how long jobs have waited with no worker alive). Told once,
then not again for the quiet period, whatever replica finds it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from arq.utils import timestamp_ms

from arqlight.alert_rules import Rule, parse_rules
from arqlight.background import end, keep
from arqlight.bundled import close_clients, open_clients
from arqlight.connections.connection import Connection
from arqlight.connections.connection_errors import SERVER_ERRORS, reason_of
from arqlight.connections.named import Connections
from arqlight.errors import ArqlightError
from arqlight.family import installed
from arqlight.jobs.overview import Overview
from arqlight.jobs.queues import queue_name
from arqlight.journal.journal import NewJob
from arqlight.settings import Settings
from arqlight.tasks import Task
from arqlight_service.app_keys import CONNECTIONS, SETTINGS

logger = logging.getLogger("arqlight.alerts")
EVERY_S = 10.0
FEWEST_ENDED = 10  # below it a rate of failures says little


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that was broken. `about` is what it is about: a connection, or a queue of it."""

    rule: Rule
    about: str
    text: str


class Alerts:
    """Looks, and tells. What was told is noted in the store of `home`, for every replica."""

    def __init__(self, settings: Settings, connections: Connections, home: Connection) -> None:
        self._settings = settings
        self._connections = connections
        self._home = home
        self._rules = parse_rules(self._settings.alerts)
        self._alone_since: dict[str, int] = {}  # connection -> since when jobs wait there and no worker lives

    async def keep_looking(self) -> None:
        """Look every ten seconds, until cancelled."""
        while True:
            try:
                await self.look()
            except (*SERVER_ERRORS, ArqlightError) as error:
                logger.warning("the rules for alerts could not be looked at: %s", reason_of(error))
            await asyncio.sleep(EVERY_S)

    async def look(self) -> list[Alert]:
        """Look once; the alerts that were told."""
        told = []
        for connection in self._connections:
            overview, rates = await connection.reader.overview(1), await connection.reader.rates()
            for alert in self._broken(connection.name, overview, rates):
                if await self._is_news(alert):
                    await self._tell(alert)
                    told.append(alert)
        return told

    def _broken(self, name: str, overview: Overview, rates: dict[str, dict[str, Any]]) -> Iterator[Alert]:
        now, waiting = timestamp_ms(), sum(queue.queued for queue in overview.queues)
        if waiting and not overview.workers:
            since = self._alone_since.setdefault(name, now)
        else:
            self._alone_since.pop(name, None)
            since = now
        for rule in self._rules:
            if rule.measure == "no_worker_s":
                if waiting and not overview.workers and now - since >= rule.limit * 1000:
                    yield Alert(rule, name, f"{waiting:,} jobs of connection {name!r} wait and no worker runs")
                continue
            for queue in overview.queues:
                label = queue_name(queue.key)
                where = f"queue {label!r} of connection {name!r}"
                if rule.measure == "depth" and queue.queued > rule.limit:
                    yield Alert(rule, f"{name}/{label}", f"{queue.queued:,} jobs wait in {where}")
                if rule.measure == "oldest_s" and queue.oldest_ms and now - queue.oldest_ms > rule.limit * 1000:
                    age_s = (now - queue.oldest_ms) // 1000
                    yield Alert(rule, f"{name}/{label}", f"the oldest job of {where} has waited {age_s:,} s")
            if rule.measure == "failure_rate":
                yield from _failing(rule, name, rates)

    async def _is_news(self, alert: Alert) -> bool:
        """Whether nobody told it within the quiet period; then it counts as told."""
        quiet_ms = int(self._settings.alert_quiet_s * 1000)
        return await self._home.store.alert_quiet_periods.add(f"{alert.rule.text}:{alert.about}", "1", quiet_ms)

    async def _tell(self, alert: Alert) -> None:
        logger.warning("alert %s: %s", alert.rule.text, alert.text)
        title = alert.text[:1].upper() + alert.text[1:]
        if to := self._settings.alert_email:
            more = {"severity": "warning", "title": title, "text": f"The rule {alert.rule.text} is broken."}
            if self._settings.public_url:
                more["url"] = self._settings.public_url
            await self._run(_mailer(), {"to": to, "template": "alert", **more})
        if url := self._settings.alert_webhook:
            payload = {"rule": alert.rule.text, "about": alert.about, "text": alert.text}
            await self._run(
                _deliverer(), {"url": url.get_secret_value(), "event": "arqlight.alert", "payload": payload}
            )

    async def _run(self, task: Task, kwargs: dict[str, Any]) -> None:
        """As a job, so that it is tried again; where no worker would run it, here and now."""
        settings = self._settings
        route = settings.route(task.name, queue_name(task.queue))
        connection = self._connections.find(route or task.connection)
        overview = await connection.reader.overview(1)
        if any(queue.key == task.queue and queue.workers and not queue.paused for queue in overview.queues):
            await connection.journal.enqueue([NewJob(task.name, task.queue, (), kwargs)])
            return
        await run_here(task, settings, self._home, kwargs)


async def run_here(task: Task, settings: Settings, home: Connection, kwargs: dict[str, Any]) -> None:
    """Run a bundled task in this process, once. What goes wrong is logged: there is nobody to try again."""
    now = datetime.now(UTC)
    ctx: dict[str, Any] = {**home.task_context(), "settings": settings, "job_try": 1, "enqueue_time": now}
    ctx["job_id"] = f"alert-{int(now.timestamp() * 1e6)}"
    await open_clients(ctx)
    try:
        await task.coroutine(ctx, **kwargs)
    except Exception:  # whatever a task raises
        logger.exception("%s could not be run by the service itself, and no worker takes from its queue", task.name)
    finally:
        await close_clients(ctx)


def _failing(rule: Rule, name: str, rates: dict[str, dict[str, Any]]) -> Iterator[Alert]:
    for key, rate in rates.items():
        ended = rate["succeeded"] + rate["failed"]
        if ended >= FEWEST_ENDED and rate["failed"] / ended > rule.limit:
            label = queue_name(key)
            text = f"{rate['failed']:,} of {ended:,} jobs of queue {label!r} of connection {name!r} failed in 5 minutes"
            yield Alert(rule, f"{name}/{label}", text)


def _mailer() -> Task:
    return installed().find_task("send_email", "ARQLIGHT_ALERT_EMAIL")


def _deliverer() -> Task:
    return installed().find_task("deliver_webhook", "ARQLIGHT_ALERT_WEBHOOK")


def check_alerts(settings: Settings) -> None:
    """Raise SettingsError when nothing that is installed could tell somebody."""
    if settings.alert_email:
        _mailer()
    if settings.alert_webhook:
        _deliverer()


async def keep_alerts(app: web.Application) -> AsyncIterator[None]:
    """Look while the application runs, where somebody is to be told and there is somewhere to note it."""
    settings, home = app[SETTINGS], app[CONNECTIONS].home
    has_reader = settings.alert_email or settings.alert_webhook
    if not (has_reader and home and parse_rules(settings.alerts)):
        yield
        return
    task = keep("look at the rules for alerts", Alerts(settings, app[CONNECTIONS], home).keep_looking)
    yield
    await end(task)
