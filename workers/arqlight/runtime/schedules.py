"""Who puts periodic jobs into their queues.

Every worker looks each beat, and enqueues what is due within the next few seconds as a scheduled job. Its id follows
from the schedule and the moment, so that any number of workers make one job of it.
"""

from arq.utils import timestamp_ms
from redis.asyncio import Redis

from arqlight.jobs.display import iso
from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.schedules import note_fired, read_fired, read_schedules

AHEAD_MS = 6_000  # more than two beats of a worker


LATE_MS = 60_000  # what was missed longer ago, while no worker ran, is left out


async def fire_due(redis: Redis, journal: Journal) -> None:
    """Enqueue what is due within the next seconds, each for after its own jitter: none waits for the one before it."""
    schedules = [schedule for schedule in await read_schedules(redis) if schedule.enabled]
    if not schedules:
        return
    fired = await read_fired(redis)
    now_ms = timestamp_ms()
    for schedule in schedules:
        last_ms = fired.get(schedule.name, {}).get("due", 0)
        start_ms = max(last_ms, now_ms - LATE_MS)
        for due_ms, at_ms in schedule.due(start_ms):
            if due_ms > now_ms + AHEAD_MS:
                break
            job_id = f"schedule:{schedule.name}:{iso(due_ms)}"
            delay_ms = max(0, at_ms - now_ms)
            await journal.enqueue_once(
                NewJob(schedule.task, schedule.queue, (), schedule.kwargs, id=job_id, delay_ms=delay_ms)
            )
            await note_fired(redis, schedule.name, due_ms, job_id)
