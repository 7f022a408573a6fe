"""Replays: one event, a range, or all that failed, for one endpoint once more; in groups, each a transaction."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, update

from arqlight.errors import InvalidInput, NotFound
from arqlight.families.database import Database
from arqlight.families.webhooks.records import endpoints
from arqlight.families.webhooks.records.deliveries import NEW_RUN, check_on, is_undelivered
from arqlight.families.webhooks.records.lines import Due, first_in_line
from arqlight.families.webhooks.tables import webhook_deliveries as deliveries
from arqlight.families.webhooks.tables import webhook_events as events
from arqlight.families.webhooks.tables import webhook_replays as table
from arqlight.jobs.storable_text import check_text

GROUP = 200


@dataclass(frozen=True, slots=True)
class Selection:
    """What to replay: one event, or those raised from `since` until before `until`; with `failed` only what was not
    delivered. What waits for its first attempt is on its way, and left alone."""

    message_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    failed: bool = False

    def check(self) -> None:
        """Raises InvalidInput, unless it says in one way what is meant: what is left out never means all."""
        check_text("message_id", self.message_id or "", 1_000)
        for field in ("since", "until"):
            _check_moment(field, getattr(self, field))
        is_range = self.failed or self.since is not None or self.until is not None
        if not self.message_id and not is_range:
            raise InvalidInput("failed", "nothing is selected; give message_id, since or until, or failed=true")
        if self.message_id and is_range:
            raise InvalidInput("message_id", "give message_id, or since, until and failed; not both")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise InvalidInput("until", "it is not after since")

    def where(self) -> ColumnElement[bool]:
        """As a condition on deliveries and their events."""
        parts: list[ColumnElement[bool]] = [or_(deliveries.c.state != "pending", deliveries.c.attempt > 0)]
        if self.message_id:
            parts.append(deliveries.c.message_id == self.message_id)
        if self.since is not None:
            parts.append(events.c.at >= self.since)
        if self.until is not None:
            parts.append(events.c.at < self.until)
        if self.failed:
            parts.append(is_undelivered())
        return and_(*parts)


async def new_replay(database: Database, endpoint_id: str, selected: Selection, who: str) -> dict[str, Any]:
    """Note that a replay is wanted, of what there is now. Raises InvalidInput, NotFound, Conflict."""
    selected.check()
    async with database.begin() as connection:
        endpoint = await endpoints.lock(connection, endpoint_id)
        if endpoint is None:
            raise endpoints.missing(endpoint_id)
        check_on(endpoint)
        counted = select(func.count(), func.max(deliveries.c.id)).join(events).where(
            deliveries.c.endpoint_id == endpoint_id, selected.where()
        )  # fmt: skip
        total, up_to = (await connection.execute(counted)).one()
        if selected.message_id and not total:
            raise NotFound(f"no event {selected.message_id!r} of this endpoint that could be replayed")
        row = {"endpoint_id": endpoint_id, "who": who, "message_id": selected.message_id, "since": selected.since,
               "until": selected.until, "failed": selected.failed, "up_to": up_to or 0, "total": total}  # fmt: skip
        return _replay((await connection.execute(insert(table).values(row).returning(table))).one())


async def find_replay(database: Database, replay_id: int) -> dict[str, Any]:
    """One. Raises NotFound."""
    async with database.begin() as connection:
        row = (await connection.execute(select(table).where(table.c.id == replay_id))).first()
    if row is None:
        raise NotFound(f"no replay {replay_id}")
    return _replay(row)


async def list_replays(database: Database, endpoint_id: str, limit: int = 10) -> list[dict[str, Any]]:
    """Those of an endpoint, the newest first."""
    query = select(table).where(table.c.endpoint_id == endpoint_id).order_by(table.c.id.desc()).limit(limit)
    async with database.begin() as connection:
        return [_replay(row) for row in await connection.execute(query)]


async def step(database: Database, replay_id: int) -> tuple[int, list[Due], bool]:
    """Set the next group going: how many are done now, the jobs to enqueue, and whether that was all.

    Raises NotFound; Conflict where the endpoint was switched off meanwhile.
    """
    async with database.begin() as connection:
        replay = (await connection.execute(select(table).where(table.c.id == replay_id).with_for_update())).first()
        endpoint = await endpoints.lock(connection, replay.endpoint_id) if replay else None
        if replay is None or endpoint is None:
            raise NotFound(f"no replay {replay_id}")
        check_on(endpoint)
        selected = Selection(replay.message_id, replay.since, replay.until, replay.failed)
        query = (
            select(deliveries.c.id)
            .join(events)
            .where(deliveries.c.endpoint_id == replay.endpoint_id, selected.where())
            .where(deliveries.c.id > replay.cursor, deliveries.c.id <= replay.up_to)
            .order_by(deliveries.c.id)
            .limit(GROUP)
        )
        ids = list((await connection.execute(query)).scalars())
        await connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(NEW_RUN))
        done = replay.done + len(ids)
        values = {"done": done, "cursor": ids[-1] if ids else replay.cursor}
        await connection.execute(update(table).where(table.c.id == replay_id).values(values))
        return done, await first_in_line(connection, ids), len(ids) < GROUP


async def note(database: Database, replay_id: int, **values: Any) -> None:
    """Write down `state` or `job_id`."""
    async with database.begin() as connection:
        await connection.execute(update(table).where(table.c.id == replay_id).values(values))


def _check_moment(field: str, moment: datetime | None) -> None:
    try:
        if moment is not None:
            moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(field, f"{moment} is beyond all calendars in UTC") from None


def _replay(row: Any) -> dict[str, Any]:
    told = {name: value for name, value in row._mapping.items() if name not in ("cursor", "up_to")}
    moments = {name: value.isoformat(timespec="milliseconds") for name, value in told.items()
               if isinstance(value, datetime)}  # fmt: skip
    return {**told, **moments}
