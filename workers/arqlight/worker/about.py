"""What a worker says of itself, on every connection that it takes jobs from."""

import os
import socket
from typing import Any

from arq.cron import CronJob

from arqlight.jobs.display import iso
from arqlight.version import __version__
from arqlight.worker.heartbeat import memory_bytes
from arqlight.worker.host import RunnerHost


def about(worker: RunnerHost) -> dict[str, Any]:
    """Who it is, and what it can run; its queues by key."""
    return {
        "host": socket.gethostname(), "pid": os.getpid(), "version": __version__, "queues": worker.queues,
        "tasks": sorted(worker.functions), "limits": worker.limits, "max_jobs": worker.max_jobs,
        "memory_bytes": memory_bytes(),
    }  # fmt: skip


def about_cron(cron: CronJob) -> dict[str, Any]:
    """One of the application's own cron jobs, as arq runs it."""
    fields = ("month", "day", "weekday", "hour", "minute", "second")
    when = {name: getattr(cron, name) for name in fields if getattr(cron, name) is not None}
    words = ", ".join(f"{name} {sorted(value) if isinstance(value, set) else value}" for name, value in when.items())
    due = cron.next_run
    return {"name": cron.name, "words": words, "next_at": iso(due.timestamp() * 1000) if due else None}
