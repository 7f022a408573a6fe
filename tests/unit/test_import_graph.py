"""The rooms of the two packages: which may import which."""

from importlib.metadata import files
from itertools import pairwise

import grimp
import pytest

from tests.conftest import ROOT

# Inside `arqlight`, imports go down this list. What stands at the top of the package has a place in it too.
FLOORS = (
    ("bundled_worker",),
    ("bundled",),
    ("families",),
    ("family",),
    ("family_checks",),
    ("client", "worker", "embedded"),
    ("tasks", "runtime"),
    ("connections",),
    ("journal",),
    ("jobs",),
    ("key_ring", "extras", "settings", "version"),
    (
        "addresses",
        "alert_rules",
        "background",
        "checked_fields",
        "child_environment",
        "coroutine_functions",
        "errors",
        "imports",
        "private_files",
        "setting_values",
    ),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FAMILIES = {"email", "telemetry", "webhooks", "bulk", "sync"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("arqlight", "arqlight_service", cache_dir=None)


def _circle(graph: grimp.ImportGraph) -> list[str]:
    """The modules of one circle; none is left when those that import nothing of the rest are taken away again and again."""
    left = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    while leaves := [module for module, imported in left.items() if not imported & left.keys()]:
        for module in leaves:
            del left[module]
    return sorted(left)


def test_no_file_imports_itself_by_a_detour(graph: grimp.ImportGraph) -> None:
    assert _circle(graph) == []


def test_the_worker_knows_nothing_of_the_service(graph: grimp.ImportGraph) -> None:
    assert [
        (module, imported)
        for module in graph.modules
        if module.partition(".")[0] == "arqlight"
        for imported in graph.find_modules_directly_imported_by(module)
        if imported.partition(".")[0] == "arqlight_service"
    ] == []


def test_imports_inside_the_worker_package_go_down(graph: grimp.ImportGraph) -> None:
    rising = []
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            places = [name.split(".") for name in (module, imported)]
            if all(place[0] == "arqlight" and len(place) > 1 for place in places):
                above, below = (FLOOR_OF[place[1]] for place in places)
                if above > below:
                    rising.append((module, imported))
    assert rising == []


def test_every_room_has_its_floor(graph: grimp.ImportGraph) -> None:
    rooms = {module.split(".")[1] for module in graph.modules if module.startswith("arqlight.")}
    assert rooms == set(FLOOR_OF)


def test_the_core_imports_no_family_and_no_family_another(graph: grimp.ImportGraph) -> None:
    wrong = []
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            of = imported.split(".")
            if len(of) > 2 and of[1] == "families" and of[2] in FAMILIES:
                by = module.split(".")
                is_own = len(by) > 2 and by[1] == "families" and by[2] == of[2]
                if not is_own and not module.startswith("arqlight_service.demo"):
                    wrong.append((module, imported))
    assert wrong == []


def test_floors_are_listed_once() -> None:
    listed = [room for rooms in FLOORS for room in rooms]
    assert len(listed) == len(set(listed))
    assert all(above and below for above, below in pairwise(FLOORS))


def test_nothing_of_ours_is_at_the_top_of_site_packages_but_the_two_packages() -> None:
    installed = {
        path.parts[0] for path in files("arqlight") or () if path.parts[0] not in ("..", "arqlight", "arqlight_service")
    }
    # An editable install, as in this checkout, has a file that names the two roots; the wheel is looked at as installed.
    assert {name for name in installed if not name.endswith(".dist-info") and name != "_arqlight.pth"} == set()
    assert {
        path.name for root in ("workers", "service") for path in (ROOT / root).iterdir() if path.name != "__pycache__"
    } == {
        "arqlight",
        "arqlight_service",
    }
