"""Who puts periodic jobs into their queues.

Every worker looks each beat, and enqueues what is due within the next few seconds as a scheduled job. Its id follows
from the schedule and the moment, so that any number of workers make one job of it.
"""

from datetime import timedelta

from arq.utils import timestamp_ms
from redis.asyncio import Redis

from arqlight.jobs.display import iso
from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.schedules import find_schedule, note_fired, read_fired, read_schedules

AHEAD_MS = 6_000  # more than two beats of a worker


LATE_MS = 60_000  # what was missed longer ago, while no worker ran, is left out


async def fire_due(redis: Redis, journal: Journal) -> None:
    """Enqueue what is due within the next seconds."""
    schedules = [schedule for schedule in await read_schedules(redis) if schedule.enabled]
    if not schedules:
        return
    fired = await read_fired(redis)
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
            await note_fired(redis, schedule.name, due_ms, job_id)


async def fire_now(redis: Redis, journal: Journal, name: str) -> str:
    """Enqueue a schedule's job at once, besides when it is due; the job's id. Raises NotFound."""
    schedule = await find_schedule(redis, name)
    job_id = (await journal.enqueue([NewJob(schedule.task, schedule.queue, (), schedule.kwargs)]))[0]
    last = (await read_fired(redis)).get(name, {})
    await note_fired(
        redis, name, last.get("due", timestamp_ms() - int(timedelta(minutes=1).total_seconds() * 1000)), job_id
    )
    return job_id
