"""Workers."""

from arqlight_service.api.shapes.answer import Answer, Moment


class RunningJob(Answer):
    """A job that a worker runs."""

    id: str
    task: str
    started_at: Moment


class Cron(Answer):
    """One of an application's own cron jobs."""

    name: str
    words: str
    next_at: Moment | None


class Worker(Answer):
    """A process that runs jobs."""

    id: str
    alive: bool
    host: str | None
    pid: int
    version: str | None
    queues: list[str]
    tasks: list[str]
    crons: list[Cron]
    max_jobs: int
    running: int
    jobs: list[RunningJob]
    """What it runs, the oldest first; of many, some."""
    memory_bytes: int
    aborts: bool
    """Whether it stops a running job that is called off."""
    started_at: Moment | None
    seen_at: Moment | None
