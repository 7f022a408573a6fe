"""When it is looked for deliveries whose jobs were lost."""

from arqlight.families.webhooks.replaying import enqueue_overdue
from arqlight.jobs.periodic_job import PeriodicJob
from arqlight.settings import Settings


def schedules(settings: Settings) -> list[PeriodicJob]:
    """One, every five minutes, where there is a database."""
    has_database = settings.resolved_database_url() is not None
    task = enqueue_overdue
    return [PeriodicJob("webhooks-overdue", "*/5 * * * *", task.name, task.queue, {}, 60, has_database)]
