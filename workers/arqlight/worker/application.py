"""What an application's `WorkerSettings` says, looked at before a worker starts from it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta, tzinfo
from typing import Any

from arq.connections import RedisSettings
from arq.cron import CronJob
from arq.worker import Function, func

from arqlight.coroutine_functions import is_awaitable_function
from arqlight.errors import SettingsError
from arqlight.imports import import_named, told
from arqlight.jobs.periodic_job import check_periodic_job


def load_application(path: str) -> Any:
    """The class (or dict) that `module.WorkerSettings` names. Raises SettingsError, Exited."""
    found = import_named("worker settings", path)
    if not isinstance(found, type | dict):
        raise SettingsError(f"worker settings {path!r} is a {type(found).__name__}; name a class, or a dict")
    return found


def check_application(said: Mapping[str, Any]) -> None:
    """Raise SettingsError for the first value that a worker cannot work with; the others mean what arq says."""
    if not said.get("functions") and not said.get("cron_jobs"):
        raise SettingsError("worker settings: no function and no cron job is named; set functions = [...]")
    for name, (is_right, wanted) in _FIELDS.items():
        value = said.get(name)
        if value is None:
            continue
        value = value.__func__ if isinstance(value, staticmethod) else value
        if not is_right(value):
            raise SettingsError(f"worker settings: {name} = {_shown(value)} will not do; it must be {wanted}")
    for each in said.get("functions") or ():
        _check_function(each)
    for each in said.get("schedules") or ():
        check_periodic_job("worker settings", each)


def _check_function(given: Any) -> None:
    if isinstance(given, Function):
        if given.name.encode(errors="replace").decode() != given.name:
            raise SettingsError(
                f"worker settings: functions has one named {given.name!r}, which is no UTF-8; rename it"
            )
        return
    if isinstance(given, str):
        given = import_named("worker settings: the function", given)
    try:
        func(given)
    except Exception as error:
        raise SettingsError(
            f"worker settings: functions has {_shown(given)}, which is no coroutine function; write async def"
            if isinstance(error, RuntimeError) else f"worker settings: functions has {_shown(given)}: {told(error)}"
        ) from error  # fmt: skip


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())[:100]
    return f"a {type(value).__name__}" if "://" in text else text  # an address may hold a password


def _is_list(kind: type[Any] | None = None) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        is_list = isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes)
        return is_list and (kind is None or all(isinstance(each, kind) for each in value))

    return check


def _is_whole(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_time(value: Any) -> bool:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    return isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < float("inf")


def _is_names(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value) and all(isinstance(name, str) and name for name in value)
    return _is_list(str)(value) and bool(value) and all(each.strip() for each in value)


_TIME = (_is_time, "seconds, 0 or more, or a timedelta")
_HOOK = (is_awaitable_function, "a coroutine function (async def)")
_CALLABLE = (callable, "a function")
_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "functions": (_is_list(), "a list of coroutine functions"),
    "cron_jobs": (_is_list(CronJob), "a list of what arq's cron(...) makes"),
    "schedules": (_is_list(), "a list of PeriodicJob(...)"),
    "queues": (_is_names, 'a list of names, ["high", "default"], or names with weights, {"high": 3}'),
    "queue_name": (lambda value: isinstance(value, str) and bool(value), "a name"),
    "queue_limits": (lambda value: isinstance(value, Mapping) or _is_list(str)(value), 'like {"bulk": 5}'),
    "redis_settings": (lambda value: isinstance(value, RedisSettings), "arq's RedisSettings(...)"),
    "max_jobs": (_is_whole(1), "a whole number, 1 or more"),
    "max_tries": (_is_whole(0), "a whole number, 0 or more"),
    "max_burst_jobs": (lambda value: isinstance(value, int), "a whole number"),
    "queue_read_limit": (_is_whole(0), "a whole number, 0 or more"),
    "expires_extra_ms": (_is_whole(0), "a whole number of milliseconds"),
    "ctx": (lambda value: isinstance(value, dict), "a dict"),
    "timezone": (lambda value: isinstance(value, tzinfo), "a timezone"),
    "health_check_key": (lambda value: isinstance(value, str), "a key"),
    **dict.fromkeys(
        ("job_timeout", "keep_result", "poll_delay", "health_check_interval", "job_completion_wait"), _TIME
    ),
    **dict.fromkeys(("on_startup", "on_shutdown", "on_job_start", "on_job_end", "after_job_end"), _HOOK),
    **dict.fromkeys(("job_serializer", "job_deserializer"), _CALLABLE),
}
