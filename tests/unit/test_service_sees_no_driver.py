"""The service knows connections by their interface: no driver, no client of a server, no name of a key."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVICE = Path(__file__).parents[2] / "service" / "arqlight_service"
DRIVERS = ("RedisConnection", "DatabaseConnection", "ObservedConnection")
MODULES = (
    "redis.asyncio", "arqlight.connections.redis", "arqlight.connections.database", "arqlight.connections.observed",
    "arqlight.journal.keys",
)  # fmt: skip
NAMES = (*DRIVERS, "KEYS", "Redis", "open_redis")


def offences(source: str) -> Iterator[str]:
    """What a file does that only a driver may do."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in ("redis", "_redis"):
            yield f"line {node.lineno}: .{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            named = {each.id for each in ast.walk(node.args[1]) if isinstance(each, ast.Name)}
            named |= {each.attr for each in ast.walk(node.args[1]) if isinstance(each, ast.Attribute)}
            yield from (f"line {node.lineno}: isinstance of {name}" for name in sorted(named & set(DRIVERS)))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (f"line {node.lineno}: imports {name}" for name in imported(node) if is_of_a_driver(name))


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The full names."""
    prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
    return [prefix + alias.name for alias in node.names]


def is_of_a_driver(name: str) -> bool:
    return name.rpartition(".")[2] in NAMES or any(name == each or name.startswith(f"{each}.") for each in MODULES)


@pytest.mark.parametrize("path", sorted(SERVICE.rglob("*.py")), ids=lambda path: str(path.relative_to(SERVICE)))
def test_a_file_of_the_service_keeps_to_the_interface(path: Path) -> None:
    assert list(offences(path.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "connection.redis.get('x')",
        "isinstance(connection, RedisConnection)",
        "isinstance(connection, int | database.DatabaseConnection)",
        "from redis.asyncio import Redis",
        "import redis.asyncio",
        "from arqlight.connections.redis.log import RedisLog",
        "from arqlight.connections import database",
        "from arqlight.connections.observed import ObservedConnection",
        "from arqlight.journal.keys import KEYS",
    ],
)
def test_what_is_looked_for_is_found(source: str) -> None:
    assert len(list(offences(source))) == 1
