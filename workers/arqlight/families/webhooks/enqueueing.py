"""The jobs of deliveries."""

from collections.abc import Iterable

from arqlight.connections.connection import Transitions
from arqlight.errors import JobExists
from arqlight.families.webhooks.records.lines import Due
from arqlight.jobs.queues import queue_key
from arqlight.journal.journal import NewJob

TASK = "deliver_event"
QUEUE = queue_key("webhooks")


async def enqueue_due(journal: Transitions, deliveries: Iterable[Due]) -> int:
    """Enqueue what is not enqueued yet; how many were."""
    new = 0
    for due in deliveries:
        told = {"endpoint_id": due.endpoint_id, "message_id": due.message_id, "run": due.run}
        try:
            await journal.enqueue([NewJob(TASK, QUEUE, (), told, id=due.job_id)])
            new += 1
        except JobExists:  # it waits, runs or has ended
            continue
    return new
