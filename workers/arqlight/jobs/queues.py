"""Queues by the names people see, and by arq's keys for them."""

from arq import constants

from arqlight.jobs.names import name_shown_as, shown_name

DEFAULT_QUEUE = constants.default_queue_name


QUEUE_PREFIX = DEFAULT_QUEUE + ":"


def queue_name(key: str) -> str:
    """The queue's name for people: `arq:queue` is `default`, `arq:queue:high` is `high`, others are themselves."""
    if key == DEFAULT_QUEUE:
        return "default"
    name = key.removeprefix(QUEUE_PREFIX)
    return shown_name(name if name and ":" not in name else key)


def queue_key(name: str, known: frozenset[str] = frozenset()) -> str:
    """The sorted set behind a queue's name. A name with ":" or one of `known` is a key already (arq allows any)."""
    name = name_shown_as(name)
    if name == "default":
        return DEFAULT_QUEUE
    if ":" in name or name in known:
        return name
    return QUEUE_PREFIX + name


def is_queue_key(key: str) -> bool:
    """Whether a sorted set that changed is one of arq's queues by its name."""
    return key == DEFAULT_QUEUE or key.startswith(QUEUE_PREFIX)
