"""The Node.js programs that the tests check the documents with: installed by npm from the lock file, and kept."""

import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("node_tools")
FOLDER = Path(__file__).parents[2] / ".venv" / "node_tools"
MANIFEST = ("package.json", "package-lock.json", ".npmrc")
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SDK_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


class NodeProgramsMissing(Exception):
    """Node.js or npm is not here, or npm could not install the programs."""


def find_node_programs() -> Path | None:
    """The folder that they are installed in, as the lock file says now; None when they are not."""
    return FOLDER if _installed() == _wanted() else None


def install_node_programs() -> Path:
    """Install them unless they are here already; the folder. Raises NodeProgramsMissing."""
    if found := find_node_programs():
        return found
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NodeProgramsMissing(
                f"no {program} is on PATH: install Node.js 20.19 or newer with npm (Debian: apt-get install nodejs npm)"
            )
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "installed").unlink(missing_ok=True)
    for name in MANIFEST:
        shutil.copy(SOURCE / name, FOLDER / name)
    done = subprocess.run(["npm", "ci"], cwd=FOLDER, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NodeProgramsMissing(f"npm ci failed in {FOLDER}:\n{done.stdout}{done.stderr}")
    (FOLDER / "installed").write_text(_wanted())
    return FOLDER


def run_node_program(*command: str, cwd: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run one of them, `redocly …`, or a script, `node script.cjs`, which can require them."""
    folder = find_node_programs()
    assert folder, "the Node.js programs are not installed: run `make programs`"
    modules = folder / "node_modules"
    path = f"{modules / '.bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [shutil.which(command[0], path=path) or command[0], *command[1:]],
        cwd=cwd, input=stdin, capture_output=True, text=True, check=False, timeout=100,
        env=os.environ | QUIET | {"NODE_PATH": str(modules), "PATH": path},
    )  # fmt: skip


def _wanted() -> str:
    return "".join((SOURCE / name).read_text() for name in MANIFEST)


def _installed() -> str:
    path = FOLDER / "installed"
    return path.read_text() if path.exists() else ""
