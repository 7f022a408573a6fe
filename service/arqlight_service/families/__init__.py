"""REST of the task families, one file each."""

from arqlight_service.families import bulk, sync, telemetry, templates, webhooks

ROUTES = [route for family in (telemetry, webhooks, bulk, sync, templates) for route in family.routes]
