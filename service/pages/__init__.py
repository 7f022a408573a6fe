"""The pages: server-rendered first, so they read without JavaScript; `live.js` keeps them true."""

from service.pages import (
    bulk,
    charts,
    dashboard,
    failed,
    jobs,
    logs,
    queues,
    schedules,
    settings,
    sync,
    templates,
    webhooks,
    workers,
)
from service.pages.words import FILTERS as FILTERS

_PAGES = (dashboard, jobs, failed, queues, workers, schedules, logs, charts, webhooks, bulk, sync, templates, settings)
ROUTES = [route for page in _PAGES for route in page.routes]
