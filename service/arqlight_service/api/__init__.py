"""REST, under `/api/v1`: a resource a file. Each handler states what it is with `@call(…)` (`call.py`)."""

from arqlight_service.api import audit, connections, failed, jobs, logs, operations, queues, schedules, settings

_RESOURCES = (jobs, failed, queues, operations, logs, schedules, settings, audit, connections)
ROUTES = [route for resource in _RESOURCES for route in resource.routes]
