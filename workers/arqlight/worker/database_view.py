"""A worker as the attempts of a database see it: what is shared is shared, what they tell goes to the database."""

import copy

from arqlight.connections.database import DatabaseConnection
from arqlight.connections.database.writes import Writes
from arqlight.runtime.progress import Progress
from arqlight.worker.host import RunnerHost


def view_of(worker: RunnerHost, connection: DatabaseConnection, writes: Writes) -> RunnerHost:
    """The worker, under a name of its own on that connection."""
    view = copy.copy(worker)
    view.id = f"{worker.id}@{connection.name}"
    view.aborting_tasks = set()
    view.result_ttls_ms = {}
    view.progress = Progress(writes)
    view.ctx = {**worker.ctx, "progress": view.progress, "connection": connection.name}
    return view
