"""`docs/roles.md`: what each role and token may do, as the routes and the templates state it. `make roles-doc`."""

import re
from pathlib import Path
from tempfile import mkdtemp

from aiohttp import web

from arqlight.connections.named import Connections
from arqlight.settings import Settings
from arqlight_service.app import create_app
from arqlight_service.auth.roles import Need, Role, need_of
from arqlight_service.feed.feed import NAMED_TOPICS, PLAIN_TOPICS

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "roles.md"
COMMAND = "make roles-doc"
HEAD = f"""\
# Roles

Each role may do what those before it may. A token has a role, or one purpose and nothing else (`enqueue`, `telemetry`, `metrics`).
Whoever may not, gets 403 (404 where nothing is at the address); whoever is unknown, 401 or the page to sign in.

This page is generated from the code by `{COMMAND}`.
"""


def render() -> str:
    """The whole document."""
    parts = [HEAD, "## Routes\n", "| method | path | from | also tokens for |", "|---|---|---|---|"]
    parts += [
        f"| {method} | `{path}` | {need.role.shown} | {need.purpose} |"
        for (method, path), need in sorted(routes().items())
    ]
    parts += ["", "## Topics of the feed\n", "| topic | from |", "|---|---|"]
    parts += [f"| `{topic}{'…' if topic.endswith(':') else ''}` | viewer |" for topic in (*PLAIN_TOPICS, *NAMED_TOPICS)]
    parts += ["", "## Controls of the pages\n", "| template | sends | shown from |", "|---|---|---|"]
    parts += [f"| `{template}` | `{action}` | {role.shown} |" for template, action, role in controls()]
    return "\n".join(parts) + "\n"


def routes() -> dict[tuple[str, str], Need]:
    """Every route with its need."""
    app = create_app(Settings(data_dir=Path(mkdtemp()), redis_url="redis://127.0.0.1:1/0"), Connections([]))
    return {
        (route.method, path_of(route)): need
        for route in app.router.routes()
        if route.method != "HEAD" and (need := need_of(route)) is not None
    }


def path_of(route: web.AbstractRoute) -> str:
    """Its path, without the expressions of its parameters."""
    assert route.resource is not None
    return re.sub(r"\{(\w+):[^{}]*(\{[^}]*\})?\}", r"{\1}", route.resource.canonical)


def controls() -> list[tuple[str, str, Role]]:
    """Every form that changes something: its template, the path it is sent to, the role from which it is shown."""
    found = []
    for template in sorted((ROOT / "web" / "templates").rglob("*.html")):
        needed: list[bool] = []  # of each open element whether it is for admins
        for tag in re.finditer(
            r"<(/?)(form|details|div|section|tr|td|table)\b([^>]*)>", _without_expressions(template)
        ):
            closes, _, attributes = tag.groups()
            if closes:
                needed and needed.pop()
                continue
            needed.append('data-needs="admin"' in attributes)
            action = re.search(r'action="([^"]*)"', attributes)
            if tag[2] == "form" and 'method="post"' in attributes and action and action[1].startswith("/"):
                role = Role.ADMIN if any(needed) else Role.OPERATOR
                if template.name not in ("layout.html", "sign_in.html"):
                    found.append((template.name, action[1], role))
    return sorted(set(found))


def _without_expressions(template: Path) -> str:
    text = re.sub(r"\{%.*?%\}", "", template.read_text(), flags=re.S)
    text = re.sub(r"\{\{ [^}]*suffix \}\}", "", text)
    return re.sub(r"\{\{.*?\}\}", "1", text, flags=re.S).replace(">=", "")


if __name__ == "__main__":
    DOCUMENT.write_text(render())
