"""What the customers of the demo's licence platform do, a few times a minute each."""

import asyncio
import logging
import random
import secrets
from datetime import UTC, datetime
from typing import Any

import aiohttp

from arqlight.connections.connection import Transitions
from arqlight.connections.connection_errors import SERVER_ERRORS
from arqlight.errors import ArqlightError
from arqlight.families.bulk.exports import export_table, new_export, tables
from arqlight.families.bulk.formats import FORMATS
from arqlight.families.bulk.licences import generate_licence_keys, new_batch
from arqlight.families.database import Database
from arqlight.families.email.sending import send_email, send_two_factor_code
from arqlight.families.sync.marketplace import marketplaces
from arqlight.families.sync.syncing import sync_sales
from arqlight.families.telemetry.folding import fold_telemetry
from arqlight.families.telemetry.intake import Hasher, take_in
from arqlight.families.webhooks.delivery import deliver_webhook
from arqlight.families.webhooks.records import endpoints
from arqlight.families.webhooks.sending import send_event
from arqlight.journal.journal import NewJob
from arqlight.key_ring import KeyRing
from arqlight.settings import Settings
from arqlight.tasks import Task
from arqlight_service.demo.parties import PRODUCTS

logger = logging.getLogger("arqlight.demo")
PEOPLE = ("ada", "grace", "linus", "margaret", "dennis", "barbara", "ken", "radia")
PAUSE_S = (0.4, 2.2)
_dice = random.SystemRandom()


class Traffic:
    """Enqueues jobs of all five families; those that keep data wait until the database answers."""

    def __init__(self, journal: Transitions, settings: Settings, parties: str) -> None:
        self._journal = journal
        self._settings = settings
        self._parties = parties
        self._database = Database(settings)
        self._keys = KeyRing(settings)

    async def flow(self) -> None:
        """Until cancelled."""
        try:
            await asyncio.gather(self._trickle(), self._business())
        finally:
            await self._database.close()

    async def _trickle(self) -> None:
        while True:
            try:
                await self._journal.enqueue([self._small_job()])
            except SERVER_ERRORS as error:
                logger.warning("no job this time: %s", error)
            await asyncio.sleep(_dice.uniform(*PAUSE_S))

    async def _business(self) -> None:
        """What needs PostgreSQL."""
        if not self._database.is_set:
            return
        is_first = True
        while True:
            try:
                if is_first:
                    await self._open_shop()
                    is_first = False
                await _dice.choice([self._telemetry, self._telemetry, self._telemetry, self._sync, self._bulk])()
            except (*SERVER_ERRORS, ArqlightError, aiohttp.ClientError) as error:
                logger.warning("no business this time: %s", error)
            await asyncio.sleep(_dice.uniform(2, 6))

    async def _open_shop(self) -> None:
        """Two endpoints, and one of each kind of bulk work, so that every page has something to show."""
        if not await endpoints.list_endpoints(self._database):
            for path, events in (("orders", ["licence.issued"]), ("everything", [])):
                await endpoints.register(
                    self._database, self._keys, self._settings, url=f"{self._parties}/{path}", event_types=events,
                    description="a customer of the demo",
                )  # fmt: skip
        for marketplace in marketplaces():
            await self._enqueue(sync_sales, marketplace=marketplace)
        batch = await new_batch(self._database, "Lumen Pro", 20_000)
        await self._enqueue(generate_licence_keys, batch_id=batch)
        await self._enqueue(export_table, export_id=await new_export(self._database, "licences", "parquet"))

    async def _telemetry(self) -> None:
        now = datetime.now(UTC)
        events = [
            {"id": secrets.token_hex(8), "device": f"machine-{_dice.randrange(200)}", "product": _dice.choice(PRODUCTS),
             "version": f"2.{_dice.randrange(5)}", "at": now.isoformat(), "counters": {"exports": _dice.randrange(9)}}
            for _ in range(_dice.randrange(5, 60))
        ]  # fmt: skip
        intake = take_in(events, now, now, Hasher(self._keys))
        await self._enqueue(fold_telemetry, events=intake.events)

    async def _sync(self) -> None:
        await self._enqueue(sync_sales, marketplace=_dice.choice(list(marketplaces())))

    async def _bulk(self) -> None:
        if _dice.random() < 0.5:
            batch = await new_batch(self._database, _dice.choice(PRODUCTS), _dice.randrange(500, 8_000))
            await self._enqueue(generate_licence_keys, batch_id=batch)
        else:
            export = await new_export(self._database, _dice.choice(list(tables())), _dice.choice(list(FORMATS)))
            await self._enqueue(export_table, export_id=export)

    async def _enqueue(self, task: Task, **kwargs: Any) -> None:
        await self._journal.enqueue([NewJob(task.name, task.queue, (), kwargs)])

    def _small_job(self) -> NewJob:
        """One more job, as an application would enqueue it."""
        person, product = _dice.choice(PEOPLE), _dice.choice(PRODUCTS)
        key = "-".join(secrets.token_hex(2).upper() for _ in range(4))
        box = _dice.choices(["", "former.", "full."], [10, 2, 1])[0]
        to = f"{box}{person}@example.org"
        issued = {"customer": person, "product": product}
        path = "retired" if _dice.random() < 0.2 else "orders"
        choices: list[tuple[Task, dict[str, Any]]] = [
            (send_two_factor_code, {"to": f"{person}@example.org", "code": f"{_dice.randrange(10**6):06}"}),
            (send_email, {"to": to, "template": "licence_key", "product": product, "licence_key": key}),
            (send_email, {"to": to, "template": "alert", "severity": "warning", "text": "Eight of ten seats are taken.",
                          "title": f"{product}: 80% of seats used"}),
            (deliver_webhook, {"url": f"{self._parties}/{path}", "event": "licence.issued", "payload": issued}),
            (send_event, {"event": "licence.issued", "payload": issued}),
        ]  # fmt: skip
        weights = [3, 3, 1, 4, 2 if self._database.is_set else 0]
        task, kwargs = _dice.choices(choices, weights)[0]
        late = _dice.random() < 0.1
        delay_ms = _dice.randrange(5, 40) * 1000 if late else 0
        return NewJob(task.name, task.queue, (), kwargs, delay_ms=delay_ms)
