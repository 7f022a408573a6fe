"""The tests in other environments than the developer's own: `python -m tests.support.environments pythons|arqs|lowest`.

Each has a virtual environment under `.venv/matrix`, made by uv from the lock file, so that a second run is fast.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".venv" / "matrix"
UV = str(Path(sys.executable).with_name("uv"))
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
UNIT = ("tests/unit",)
WITH_ARQ = (*UNIT, "tests/integration/test_arq_applications.py", "tests/integration/test_worker.py")


def find_python(version: str) -> str | None:
    """A CPython of that version that starts: pyenv's, or one on PATH."""
    installed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [*sorted(installed.glob(f"{version}.*/bin/python{version}"), reverse=True)]
    if on_path := shutil.which(f"python{version}"):
        candidates.append(Path(on_path))  # may be one of pyenv's shims, which does not start unless it is chosen
    for path in candidates:
        if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(path)
    return None


def environment(name: str, python: str) -> Path:
    """The interpreter of an environment with all that is locked."""
    folder = FOLDER / name
    _uv("sync", "--locked", "--python", python, UV_PROJECT_ENVIRONMENT=str(folder))
    return folder / "bin" / "python"


def run_tests(python: Path, *paths: str) -> bool:
    """Whether they all passed."""
    return subprocess.run([python, "-m", "pytest", *paths], cwd=ROOT, check=False).returncode == 0


def pythons() -> list[tuple[str, bool | None]]:
    """The unit tests on every CPython we say we run on; None for one that is not on this machine."""
    outcomes: list[tuple[str, bool | None]] = []
    for version in PYTHONS:
        python = find_python(version)
        passed = run_tests(environment(f"python{version}", python), *UNIT) if python else None
        outcomes.append((f"Python {version}", passed))
    return outcomes


def arqs() -> list[tuple[str, bool | None]]:
    """What depends on arq, with the newest of each minor version that we say we support."""
    outcomes: list[tuple[str, bool | None]] = []
    for version in os.environ["ARQS"].split():
        python = environment(f"arq{version}", sys.executable)
        _uv("pip", "install", "--python", str(python), f"arq=={version}.*")
        outcomes.append((f"arq {_version(python, 'arq')}", run_tests(python, *WITH_ARQ)))
    return outcomes


def lowest() -> list[tuple[str, bool | None]]:
    """The unit tests with the lowest version that pyproject.toml allows of each package."""
    python = environment("lowest", sys.executable)
    bounds = FOLDER / "lowest.txt"
    bounds.unlink(missing_ok=True)  # uv would keep the versions of the last time
    _uv(
        "pip",
        "compile",
        "--resolution",
        "lowest-direct",
        "--all-extras",
        "--output-file",
        str(bounds),
        "pyproject.toml",
    )
    _uv("pip", "install", "--python", str(python), "--requirements", str(bounds))
    return [("the lowest version of each package", run_tests(python, *UNIT))]


def _uv(*arguments: str, **variables: str) -> None:
    settings = os.environ | {"UV_PYTHON_DOWNLOADS": "never"} | variables
    subprocess.run([UV, *arguments, "--quiet"], cwd=ROOT, env=settings, check=True)


def _version(python: Path, package: str) -> str:
    script = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


KINDS: dict[str, Callable[[], list[tuple[str, bool | None]]]] = {"pythons": pythons, "arqs": arqs, "lowest": lowest}


def main() -> int:
    """Run one kind, say what came of it; the exit code."""
    outcomes = KINDS[sys.argv[1]]()
    words = {True: "passed", False: "FAILED", None: "not on this machine"}
    for name, passed in outcomes:
        sys.stdout.write(f"{sys.argv[1]}: {name}: {words[passed]}\n")
    return int(not any(passed for _, passed in outcomes) or any(passed is False for _, passed in outcomes))


if __name__ == "__main__":
    sys.exit(main())
