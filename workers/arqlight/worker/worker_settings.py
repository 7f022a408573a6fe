"""Reads an application's `WorkerSettings`, as arq reads it, and what is ours beside it."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from arq.worker import get_kwargs

from arqlight.addresses import shown_redis
from arqlight.connections.named import open_databases
from arqlight.errors import SettingsError
from arqlight.imports import told
from arqlight.jobs.serialization import read_json, write_json
from arqlight.settings import Settings
from arqlight.worker.application import check_application
from arqlight.worker.queue_order import parse_limits, parse_queue_order
from arqlight.worker.worker import Worker

logger = logging.getLogger("arqlight.worker")


def url_instead(kwargs: Mapping[str, Any], settings: Settings) -> str | None:
    """The address of the server where it is not arq's `redis_pool` or `redis_settings` that say it."""
    if "redis_pool" in kwargs or (settings.redis_url is None and "redis_settings" in kwargs):
        return None
    return settings.resolved_redis_url()


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
    redis_url = url_instead(kwargs, settings)
    if redis_url is not None:
        if "redis_settings" in kwargs:
            logger.info("using Redis at %s (ARQLIGHT_REDIS_URL), not redis_settings of the worker settings",
                        shown_redis(redis_url))  # fmt: skip
        kwargs = {name: value for name, value in kwargs.items() if name != "redis_settings"}
        overrides = {"redis_url": redis_url, **overrides}
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
