"""Reads an application's `WorkerSettings`, as arq reads it, and what is ours beside it."""

from collections.abc import Sequence
from typing import Any

from arq.worker import get_kwargs

from arqlight.connections.named import open_databases
from arqlight.errors import SettingsError
from arqlight.imports import told
from arqlight.jobs.serialization import read_json, write_json
from arqlight.settings import Settings
from arqlight.worker.application import check_application
from arqlight.worker.queue_order import parse_limits, parse_queue_order
from arqlight.worker.worker import Worker


def create_worker(settings_class: Any, settings: Settings, *, queues: Sequence[str] = (), **overrides: Any) -> Worker:
    """A worker from an arq `WorkerSettings` class or dict, read as arq reads it.

    `queues` are names of queues, or `name=weight`; without them the class's own `queues`, else its `queue_name`, which
    is a key, and keeps meaning that queue wherever one is named. Its
    `queue_limits` (queue -> jobs at once, over all workers) win over the setting; `keeps_to_own_tasks` is `Worker`'s. A
    Redis that was set explicitly (flag or environment) wins over the class's `redis_settings`; else the class's wins.
    Raises SettingsError for what no worker can work with.
    """
    kwargs = get_kwargs(settings_class)
    own = settings_class if isinstance(settings_class, dict) else vars(settings_class)
    check_application(own)
    if "redis_pool" not in kwargs and (settings.redis_url is not None or "redis_settings" not in kwargs):
        kwargs = {name: value for name, value in kwargs.items() if name != "redis_settings"}
        overrides = {"redis_url": settings.resolved_redis_url(), **overrides}
    if settings.serializer == "json":
        kwargs |= {"job_serializer": write_json, "job_deserializer": read_json}  # type: ignore[dict-item]
    databases = open_databases(settings)
    known = frozenset({own["queue_name"]} if "queue_name" in own else ())
    order = parse_queue_order(queues or own.get("queues", ()), known)
    limits = parse_limits(own.get("queue_limits") or settings.limit_names(), known)
    ours = {
        "settings": settings, "limits": limits, "schedules": own.get("schedules", ()), "databases": databases,
        "keeps_to_own_tasks": own.get("keeps_to_own_tasks", False),
    }  # fmt: skip
    try:
        return Worker(queues=order if order.keys else (), **ours, **{**kwargs, **overrides})
    except (TypeError, ValueError, RuntimeError) as error:  # what arq itself refuses
        raise SettingsError(f"worker settings: {told(error)}") from error
