"""The jobs of deliveries. A job's id says which run of which delivery it is, so that none is enqueued twice."""

from collections.abc import Iterable

from arqlight.connections.connection import Transitions
from arqlight.errors import JobExists
from arqlight.families.webhooks.records.lines import Due
from arqlight.jobs.queues import queue_key
from arqlight.journal.journal import NewJob

TASK = "deliver_event"
QUEUE = queue_key("webhooks")


def job_id_of(due: Due) -> str:
    """The id of a delivery's job."""
    return f"{due.message_id}:{due.endpoint_id}" + (f":{due.run}" if due.run else "")


async def enqueue_due(journal: Transitions, deliveries: Iterable[Due]) -> int:
    """Enqueue what is not enqueued yet; how many were."""
    new = 0
    for due in deliveries:
        told = {"endpoint_id": due.endpoint_id, "message_id": due.message_id, "run": due.run}
        try:
            await journal.enqueue([NewJob(TASK, QUEUE, (), told, id=job_id_of(due))])
            new += 1
        except JobExists:  # it waits, runs or has ended
            continue
    return new
