"""The errors this package raises: each names what was wrong, the value, and what to do."""

from collections.abc import Sequence

from arq.worker import Retry


class ArqlightError(Exception):
    """Any error of ours."""


class PermanentFailure(ArqlightError):
    """Raised by a task whose failure another attempt would not fix: it is not tried again."""


class SettingsError(ArqlightError):
    """A setting is missing or wrong."""


class JobExists(ArqlightError):
    """An enqueue named an id that is taken. `ids` are the taken ones; nothing was enqueued."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids
        super().__init__(
            f"a job with id {', '.join(map(repr, ids[:5]))} is waiting, running or has a kept result; choose another id"
        )


class JobNotFound(ArqlightError):
    """No job with this id in the place that was asked."""

    def __init__(self, job_id: str, where: str = "known here") -> None:
        self.job_id = job_id
        super().__init__(f"no job with id {job_id!r} is {where}; it may have been retried, deleted or trimmed since")


class JobNotRetryable(ArqlightError):
    """A failed job cannot be put back: its bytes are gone, or its id runs again already."""


class Conflict(ArqlightError):
    """What was asked for does not go with how things stand now."""


class JobNotCancellable(ArqlightError):
    """A job cannot be cancelled in the state it is in."""


class CursorInvalid(ArqlightError):
    """A cursor that this service did not give out."""

    def __init__(self, cursor: str) -> None:
        super().__init__(f"cursor {cursor[:80]!r} is not one of ours; leave it out to start from the beginning")


class WorkerLost(ArqlightError):
    """The worker that ran the job stopped sending heartbeats and did not finish it."""


class WorkerStopped(ArqlightError):
    """The worker was shut down while it ran the job."""


class WorkerCancelled(ArqlightError):
    """A worker was cancelled by something that ran in it."""


class AnnouncementLost(ArqlightError):
    """The server lost what a worker announced of itself."""


class ServerUnreachable(ArqlightError):
    """Redis or Valkey does not answer."""


class NotYet(Retry):
    """Raised by a task that has to wait its turn (a rate limit): run again after `wait_s`, and no attempt is counted.

    A plain arq worker takes it for its own `Retry`, which counts.
    """

    def __init__(self, wait_s: float, why: str) -> None:
        super().__init__(defer=wait_s)
        self.why = why


class DatabaseMissing(PermanentFailure):
    """What was asked needs PostgreSQL, and none is set."""

    def __init__(self) -> None:
        super().__init__(
            "this needs PostgreSQL, and no database is set: start one with `arqlight up`, or set ARQLIGHT_DATABASE_URL"
        )


class DatabaseUnreachable(ArqlightError):
    """PostgreSQL does not answer."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"no PostgreSQL answers at {where}: {reason}; is it running, and are name and password right?")


class InvalidInput(ArqlightError):
    """A value that cannot be used. `field` names which of those that were given."""

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        super().__init__(f"{field}: {reason}")


class NotFound(ArqlightError):
    """What was asked for is not there."""


class Forbidden(ArqlightError):
    """Whoever asks may not have it."""


class ReadOnly(ArqlightError):
    """A connection that is only looked at was asked to change something."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"connection {name!r} is only observed, nothing is written there; run `arqlight worker` on it to do more"
        )


class Unusable(ArqlightError):
    """A connection cannot be used now: one sentence that says which and why, without a password."""


class CutOff(Unusable):
    """The connection was closed in the middle of a call: whether it was carried out is not known."""


class Refused(Unusable):
    """The server does not take what it was sent, however often it is sent."""


class OverBudget(ArqlightError, ValueError):
    """Something foreign takes more to be read than its reader may spend (see `jobs.budget`)."""


class NotSupported(NotFound):
    """A connection was asked for a part that its driver does not have.

    :param connection: its name.
    :param driver: what it is shown as: `redis`, `database` or `observed`.
    :param part: one of `arqlight.connections.parts.PARTS`.
    :param others: the connections that have this part; None when that is not known.
    """

    def __init__(self, connection: str, driver: str, part: str, others: Sequence[str] | None = None) -> None:
        self.connection = connection
        self.driver = driver
        self.part = part
        known = "" if others is None else f"; these connections do: {', '.join(others) or 'none'}"
        super().__init__(f"connection {connection!r} has no {part}: its driver ({driver}) does not support it{known}")
