"""Periodic jobs that people can edit: when each is due, and who puts it into its queue.

Every worker looks each beat, and enqueues what is due within the next few seconds as a scheduled job. Its id follows
from the schedule and the moment, so that any number of workers make one job of it.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from arq.utils import timestamp_ms
from cron_descriptor import FormatError, get_description
from cronsim import CronSim, CronSimError
from redis.asyncio import Redis

from workers.errors import InvalidInput, NotFound
from workers.journal import Journal, NewJob
from workers.keys import KEYS
from workers.overrides import note
from workers.plain import iso

AHEAD_MS = 6_000  # more than two beats of a worker
LATE_MS = 60_000  # what was missed longer ago, while no worker ran, is left out
LONGEST_JITTER_S = 3600
LONGEST_CRON = 200


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """A job to enqueue whenever `cron` (five fields, UTC) says, up to `jitter_s` later. `queue` is a key."""

    name: str
    cron: str
    task: str
    queue: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    jitter_s: float = 0
    enabled: bool = True

    @property
    def words(self) -> str:
        """When it is due, in words."""
        try:
            return str(get_description(self.cron)) + ", UTC"
        except (FormatError, ValueError, IndexError):  # an expression that only cronsim knows
            return self.cron

    def due(self, after_ms: int) -> Iterator[tuple[int, int]]:
        """The moments after `after_ms`: of each, what cron says and the time with its jitter, both in ms."""
        after = datetime.fromtimestamp(after_ms / 1000, tz=UTC)
        for moment in CronSim(self.cron, after):
            at_ms = int(moment.timestamp() * 1000)
            yield at_ms, at_ms + self._jitter_ms(at_ms)

    def next_ms(self) -> int:
        """When it is due next."""
        return next(self.due(timestamp_ms()))[1]

    def _jitter_ms(self, at_ms: int) -> int:
        # The same in every worker, another each time.
        lot = int.from_bytes(hashlib.sha256(f"{self.name}:{at_ms}".encode()).digest()[:4], "big") / 2**32
        return int(lot * self.jitter_s * 1000)


def check_cron(cron: str) -> None:
    """Raises InvalidInput for an expression that is none, or that never fires."""
    if len(cron) > LONGEST_CRON or len(cron.split()) != 5:
        raise InvalidInput("cron", f"{cron[:LONGEST_CRON]!r} has not five fields; write minute hour day month weekday")
    try:
        next(CronSim(cron, datetime.now(UTC)))
    except CronSimError as error:
        raise InvalidInput("cron", f"{cron!r} is no cron expression, or one that never fires: {error}") from None
    except StopIteration:
        raise InvalidInput("cron", f"{cron!r} never fires: there is no such day") from None


async def ensure_schedules(redis: Redis, schedules: Sequence[PeriodicJob]) -> None:
    """Note those that are not there yet; what people changed stays."""
    for schedule in schedules:
        await redis.hsetnx(KEYS["schedules"], schedule.name, json.dumps(asdict(schedule)))  # type: ignore[misc]


async def read_schedules(redis: Redis) -> list[PeriodicJob]:
    """All, by name."""
    raw: dict[bytes, bytes] = await redis.hgetall(KEYS["schedules"])  # type: ignore[misc]
    return [PeriodicJob(**json.loads(entry)) for _, entry in sorted(raw.items())]


async def find_schedule(redis: Redis, name: str) -> PeriodicJob:
    """One. Raises NotFound."""
    raw: bytes | None = await redis.hget(KEYS["schedules"], name)  # type: ignore[misc]
    if raw is None:
        raise NotFound(f"no schedule {name!r}")
    return PeriodicJob(**json.loads(raw))


async def change_schedule(
    redis: Redis, name: str, *, who: str, cron: str | None = None, jitter_s: float | None = None,
    enabled: bool | None = None,
) -> PeriodicJob:  # fmt: skip
    """Change what is given of a schedule. Raises NotFound, InvalidInput."""
    before = asdict(await find_schedule(redis, name))
    given = {"cron": cron, "jitter_s": jitter_s, "enabled": enabled}
    after = before | {field: value for field, value in given.items() if value is not None}
    check_cron(after["cron"])
    if not 0 <= after["jitter_s"] <= LONGEST_JITTER_S:
        raise InvalidInput("jitter_s", f"{after['jitter_s']:g} is not between 0 and {LONGEST_JITTER_S}")
    changed = {field for field in after if after[field] != before[field]}
    if changed:
        await redis.hset(KEYS["schedules"], name, json.dumps(after))  # type: ignore[misc]
        told = ({field: values[field] for field in sorted(changed)} for values in (before, after))
        await note(redis, who, f"schedule {name}", *told)
    return PeriodicJob(**after)


async def fire_due(redis: Redis, journal: Journal) -> None:
    """Enqueue what is due within the next seconds."""
    schedules = [schedule for schedule in await read_schedules(redis) if schedule.enabled]
    if not schedules:
        return
    fired = await _read_fired(redis)
    now_ms = timestamp_ms()
    for schedule in schedules:
        last_ms = fired.get(schedule.name, {}).get("due", 0)
        start_ms = max(last_ms, now_ms - LATE_MS - int(schedule.jitter_s * 1000))
        for due_ms, at_ms in schedule.due(start_ms):
            if due_ms > now_ms + AHEAD_MS:
                break
            if at_ms > now_ms + AHEAD_MS:
                break  # its jitter is still to come
            job_id = f"schedule:{schedule.name}:{iso(due_ms)}"
            delay_ms = max(0, at_ms - now_ms)
            await journal.enqueue_once(
                NewJob(schedule.task, schedule.queue, (), schedule.kwargs, id=job_id, delay_ms=delay_ms)
            )
            await _note_fired(redis, schedule.name, due_ms, job_id)


async def fire_now(redis: Redis, journal: Journal, name: str) -> str:
    """Enqueue a schedule's job at once, besides when it is due; the job's id. Raises NotFound."""
    schedule = await find_schedule(redis, name)
    job_id = (await journal.enqueue([NewJob(schedule.task, schedule.queue, (), schedule.kwargs)]))[0]
    last = (await _read_fired(redis)).get(name, {})
    await _note_fired(
        redis, name, last.get("due", timestamp_ms() - int(timedelta(minutes=1).total_seconds() * 1000)), job_id
    )
    return job_id


async def last_jobs(redis: Redis) -> dict[str, str]:
    """The id of each schedule's last job."""
    return {name: entry["job"] for name, entry in (await _read_fired(redis)).items()}


async def _read_fired(redis: Redis) -> dict[str, dict[str, Any]]:
    raw: dict[bytes, bytes] = await redis.hgetall(KEYS["fired"])  # type: ignore[misc]
    return {name.decode(): json.loads(entry) for name, entry in raw.items()}


async def _note_fired(redis: Redis, name: str, due_ms: int, job_id: str) -> None:
    await redis.hset(KEYS["fired"], name, json.dumps({"due": due_ms, "job": job_id}))  # type: ignore[misc]
