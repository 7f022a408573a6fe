"""What a release is: wheel and sdist as they are built, in an environment of their own, beside somebody else's project."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from email import message_from_string
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

from tests.conftest import ROOT

REPORT = ROOT / ".pytest_cache" / "installed.txt"
UV = str(Path(sys.executable).with_name("uv"))
# As an application lays itself out whose author never heard of our folders.
APPLICATION = {
    "workers/__init__.py": "",
    "workers/settings.py": """
import service, tests, web


async def greet(ctx, name):
    return [f"hello {name}", service.OWNER, web.OWNER, tests.OWNER]


class WorkerSettings:
    functions = [greet]
    queue_name = "arq:queue:application"
""",
    "service/__init__.py": "OWNER = 'service of the application'\n",
    "web/__init__.py": "OWNER = 'web of the application'\n",
    "tests/__init__.py": "OWNER = 'tests of the application'\n",
}


@dataclass(frozen=True)
class Release:
    """The files of a release; `wheel` was built from the sdist, `direct` from the tree."""

    sdist: Path
    wheel: Path
    direct: Path

    def metadata(self) -> Message:
        """The wheel's METADATA."""
        with ZipFile(self.wheel) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
            return message_from_string(wheel.read(name).decode())

    def extras(self) -> list[str]:
        """Those that bring in everything: `all` where there is one."""
        named = self.metadata().get_all("Provides-Extra", [])
        return ["all"] if "all" in named else named

    def requirements(self) -> list[str]:
        """What it depends on without any extra."""
        return [each for each in self.metadata().get_all("Requires-Dist", []) if "extra ==" not in each]


def build(folder: Path) -> Release:
    """Wheel and sdist of the tree."""
    for arguments in (["--out-dir", str(folder)], ["--wheel", "--out-dir", str(folder / "direct")]):
        run([UV, "build", "--quiet", *arguments], cwd=ROOT)
    [sdist], [wheel], [direct] = folder.glob("*.tar.gz"), folder.glob("*.whl"), folder.glob("direct/*.whl")
    return Release(sdist, wheel, direct)


def contents(wheel: Path) -> dict[str, bytes]:
    """Name -> content."""
    with ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@dataclass(frozen=True)
class Environment:
    """A virtual environment with a release in it."""

    folder: Path

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        return next(self.folder.glob("lib/python*/site-packages"))

    def command(self, *arguments: str) -> list[str]:
        """`arqlight …` of that environment."""
        return [str(self.folder / "bin" / "arqlight"), *arguments]

    def installed_mb(self) -> float:
        """All of site-packages, without compiled bytecode."""
        files = (path for path in self.packages.rglob("*") if path.is_file() and path.suffix != ".pyc")
        return sum(path.stat().st_size for path in files) / 1e6


def install(wheel: Path, extras: list[str], folder: Path) -> Environment:
    """A new environment with the wheel and nothing that it does not ask for."""
    run([UV, "venv", "--quiet", "--python", sys.executable, str(folder)])
    named = f"arqlight[{','.join(extras)}] @ {wheel.as_uri()}" if extras else f"arqlight @ {wheel.as_uri()}"
    run([UV, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), named])
    return Environment(folder)


def lay_out(folder: Path) -> Path:
    """The application's project."""
    for name, text in APPLICATION.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def clean_environment() -> dict[str, str]:
    """Nothing of the developer's: no settings, no paths to our tree."""
    own = re.compile("ARQLIGHT_|PYTHON|VIRTUAL_ENV$|PORT$")
    return {name: value for name, value in os.environ.items() if not own.match(name)}


def run(command: list[str], cwd: Path | None = None) -> str:
    """What it printed. Raises AssertionError with all it said when it fails."""
    done = subprocess.run(
        command, cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout
