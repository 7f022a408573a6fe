"""The tasks that set deliveries going again: a replay that somebody asked for, and what was lost on the way."""

import asyncio
from typing import Any

from arqlight.connections.connection import Transitions
from arqlight.errors import Conflict, NotFound, PermanentFailure
from arqlight.families.database import Database
from arqlight.families.webhooks.enqueueing import enqueue_due
from arqlight.families.webhooks.records import deliveries, overdue, replays
from arqlight.journal.journal import Journal
from arqlight.tasks import Backoff, task


class ReplayMissing(PermanentFailure):
    """The replay of a job is not in the database, or its endpoint is gone or off."""


@task(queue="webhooks", tries=20, timeout_s=3600, backoff=Backoff(first_s=2, longest_s=300))
async def replay_deliveries(ctx: dict[str, Any], replay_id: int) -> dict[str, int]:
    """Set the deliveries of a replay going, each under the webhook-id it had; it goes on where a crash left off.

    Returns `{"replay", "done"}`.
    """
    database: Database = ctx["database"]
    journal = Journal(ctx["redis"], ctx["settings"])
    try:
        replay = await replays.find_replay(database, replay_id)
        await replays.note(database, replay_id, state="running", job_id=ctx["job_id"])
        done, total, is_over = replay["done"], replay["total"], False
        while not is_over:
            ctx["progress"](done, max(total, 1), "deliveries")
            done, due, is_over = await replays.step(database, replay_id)
            await enqueue_due(journal, due)
    except asyncio.CancelledError:
        await asyncio.shield(replays.note(database, replay_id, state="cancelled"))
        raise
    except (NotFound, Conflict) as error:
        await replays.note(database, replay_id, state="cancelled")
        raise ReplayMissing(str(error)) from error
    await replays.note(database, replay_id, state="done")
    ctx["progress"](done, max(done, 1), "deliveries")
    return {"replay": replay_id, "done": done}


@task(queue="webhooks", tries=3, timeout_s=300)
async def enqueue_overdue(ctx: dict[str, Any]) -> dict[str, int]:
    """Enqueue deliveries whose job was lost (a worker died between two steps, a server lost its data).

    Returns `{"enqueued"}`.
    """
    journal = Journal(ctx["redis"], ctx["settings"])
    return {"enqueued": await enqueue_due(journal, await overdue.take(ctx["database"]))}


async def resend(journal: Transitions, database: Database, delivery_id: int) -> str:
    """Deliver once more what was delivered before, under the same webhook-id; the job's id.

    In an ordering it may have to wait its turn; its job comes then. Raises NotFound, Conflict.
    """
    begun = await deliveries.begin_again(database, delivery_id)
    await enqueue_due(journal, [begun.due] if begun.is_first else [])
    return begun.due.job_id
