"""arqlight: live background jobs for arq. What stands here is the public API; all else is internal and may change.

Nothing is imported before it is asked for (PEP 562), so `import arqlight` costs no more than what is used of it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arqlight.checked_fields import Secret as Secret
    from arqlight.checked_fields import option as option
    from arqlight.client import Client as Client
    from arqlight.errors import ArqlightError as ArqlightError
    from arqlight.errors import JobExists as JobExists
    from arqlight.errors import JobNotFound as JobNotFound
    from arqlight.errors import NotYet as NotYet
    from arqlight.errors import PermanentFailure as PermanentFailure
    from arqlight.errors import SettingsError as SettingsError
    from arqlight.family import Family as Family
    from arqlight.jobs.periodic_job import PeriodicJob as PeriodicJob
    from arqlight.jobs.queues import queue_key as queue_key
    from arqlight.jobs.serialization import read_json as read_json
    from arqlight.jobs.serialization import write_json as write_json
    from arqlight.journal.journal import NewJob as NewJob
    from arqlight.settings import FamilySettings as FamilySettings
    from arqlight.settings import Settings as Settings
    from arqlight.settings import load_settings as load_settings
    from arqlight.tasks import Backoff as Backoff
    from arqlight.tasks import Task as Task
    from arqlight.tasks import Waits as Waits
    from arqlight.tasks import task as task
    from arqlight.version import __version__ as __version__
    from arqlight.worker.worker import Worker as Worker
    from arqlight.worker.worker_settings import create_worker as create_worker

_WHERE = {
    "Secret": "checked_fields",
    "option": "checked_fields",
    "Client": "client",
    "ArqlightError": "errors",
    "JobExists": "errors",
    "JobNotFound": "errors",
    "NotYet": "errors",
    "PermanentFailure": "errors",
    "SettingsError": "errors",
    "Family": "family",
    "PeriodicJob": "jobs.periodic_job",
    "queue_key": "jobs.queues",
    "read_json": "jobs.serialization",
    "write_json": "jobs.serialization",
    "NewJob": "journal.journal",
    "FamilySettings": "settings",
    "Settings": "settings",
    "load_settings": "settings",
    "Backoff": "tasks",
    "Task": "tasks",
    "Waits": "tasks",
    "task": "tasks",
    "__version__": "version",
    "Worker": "worker.worker",
    "create_worker": "worker.worker_settings",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'arqlight' has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"arqlight.{_WHERE[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
