"""Packages with plug-ins, as other people write them: installed into a folder that a test puts on the path."""

from collections.abc import Mapping
from pathlib import Path

CRM = {
    "acme_crm/__init__.py": "",
    "acme_crm/worker.py": '''
from dataclasses import dataclass

from arqlight import Family, FamilySettings, PeriodicJob, Secret, option, queue_key, task


@dataclass(frozen=True)
class CrmSettings(FamilySettings):
    """The customer list."""

    crm_url: str = option("https://crm.example.org", "Where the customer list is.")
    crm_batch: int = option(10, "Customers at a time.", least=1, most=100)
    crm_token: Secret | None = option(None, "What opens it.")


async def open_clients(ctx):
    ctx["crm"] = []


async def close_clients(ctx):
    ctx["crm"].append("closed")


@task(queue="crm", tries=3)
async def greet_customer(ctx, name: str) -> str:
    """Greet one customer."""
    settings = ctx["settings"].of(CrmSettings)
    ctx["crm"].append(name)
    return f"hello {name} from {settings.crm_url}"


def schedules(settings):
    return [PeriodicJob("crm-greetings", "0 9 * * *", "greet_customer", queue_key("crm"), {"name": "all"})]


FAMILY = Family(
    name="crm", tasks=[greet_customer], settings=CrmSettings, schedules=schedules, on_startup=open_clients,
    on_shutdown=close_clients,
)
''',
    "acme_crm/service.py": '''
from pathlib import Path

import aiohttp_jinja2
from aiohttp import web

from arqlight_service.api.call import call
from arqlight_service.api.shapes.answer import Answer, Items
from arqlight_service.auth.roles import Role, needs
from arqlight_service.family import NavigationEntry, ServiceFamily

routes = web.RouteTableDef()


class Customer(Answer):
    """Somebody who bought something."""

    name: str


@routes.get("/api/v1/customers")
@call(Role.VIEWER, tag="customers", answers={200: Items[Customer]})
async def customers(request):
    """Every customer."""
    return web.json_response({"items": [{"name": "ada"}]})


@routes.get("/customers")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("customers.html")
async def page(request):
    return {"page": "customers", "names": ["ada"]}


FAMILY = ServiceFamily(
    name="crm", routes=tuple(routes), navigation=(NavigationEntry("/customers", "Customers", "customers"),),
    templates=Path(__file__).parent / "templates",
)
''',
    "acme_crm/templates/customers.html": """{% extends "layout.html" %}
{% block title %}Customers{% endblock %}
{% block main %}<h1>Customers</h1><ul>{% for name in names %}<li>{{ name }}</li>{% endfor %}</ul>{% endblock %}
""",
}
CRM_POINTS = """[arqlight.families]
crm = acme_crm.worker:FAMILY

[arqlight_service.families]
crm = acme_crm.service:FAMILY
"""


def install(folder: Path, name: str, files: Mapping[str, str], entry_points: str) -> None:
    """Put a package where Python finds it, with the metadata that an installer writes."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)
