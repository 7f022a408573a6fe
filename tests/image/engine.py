"""The container engine of this machine: `python -m tests.image.engine` builds the image and prints what it adds to its base.

Where no image registry can be reached, a script prepares podman and the base image: the one named by ARQLIGHT_ENGINE, or
`shared/containers/engine` beside this repository. It knows `setup`, `build TAG`, `run ARGS…` and `podman ARGS…`. Without
it, docker or podman from PATH is used.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TAG = "arqlight:0.1.0"
IMAGE = f"localhost/{TAG}"
LARGEST_MB = 150
_BESIDE = ROOT.parent / "shared" / "containers" / "engine"


class EngineMissing(Exception):
    """There is nothing here that runs containers."""


@dataclass(frozen=True)
class Engine:
    """How to build, run and ask; each is the beginning of a command."""

    setup: tuple[str, ...]
    build: tuple[str, ...]
    run: tuple[str, ...]
    ask: tuple[str, ...]
    plays_kubernetes: bool

    def __call__(
        self, *command: str, given: str | None = None, timeout_s: float = 120, environment: dict[str, str] | None = None
    ) -> str:
        """What a command of the engine printed. Raises AssertionError with all it said when it fails."""
        return _output([*self.ask, *command], given, timeout_s, environment)

    def start(self, *arguments: str) -> str:
        """Start a container in the background; its id."""
        return _output([*self.run, "--detach", *arguments]).strip().splitlines()[-1]

    def logs(self, container: str) -> str:
        """All that a container has said."""
        done = subprocess.run(
            [*self.ask, "logs", container], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return done.stdout

    def image_bytes(self, image: str) -> int:
        """The size of an image, all of its layers."""
        return int(self("image", "inspect", "--format", "{{.Size}}", image))


def find_engine() -> Engine:
    """The engine of this machine. Raises EngineMissing."""
    script = Path(os.environ.get("ARQLIGHT_ENGINE") or _BESIDE)
    if script.is_file():
        command = ("bash", str(script))
        return Engine(
            (*command, "setup"), (*command, "build", TAG), (*command, "run"), (*command, "podman"), plays_kubernetes=True
        )  # fmt: skip
    for name in ("docker", "podman"):
        if path := shutil.which(name):
            build = (path, "build", "--file", "deploy/Dockerfile", "--tag", IMAGE, ".")
            return Engine((), build, (path, "run", "--network", "host"), (path,), plays_kubernetes=name == "podman")
    raise EngineMissing(f"no container engine: neither {script}, nor docker or podman on PATH")


def _output(
    command: list[str], given: str | None = None, timeout_s: float = 120, environment: dict[str, str] | None = None
) -> str:
    done = subprocess.run(
        command, cwd=ROOT, input=given or "", capture_output=True, text=True, check=False, timeout=timeout_s,
        env=os.environ | (environment or {}),
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def base_image() -> str:
    """What the Dockerfile starts from by default."""
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    return next(line.removeprefix("ARG BASE=") for line in lines if line.startswith("ARG BASE="))


def main() -> int:
    """Build; the exit code."""
    try:
        engine = find_engine()
    except EngineMissing as error:
        sys.stderr.write(f"image: {error}\n")
        return 1
    for command in filter(None, (engine.setup, engine.build)):
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            sys.stderr.write(done.stdout)
            return done.returncode
    added_mb = (engine.image_bytes(IMAGE) - engine.image_bytes(base_image())) / 1e6
    sys.stdout.write(f"image: {IMAGE} adds {added_mb:.1f} MB to {base_image()} ({LARGEST_MB} MB at most)\n")
    return int(added_mb > LARGEST_MB)


if __name__ == "__main__":
    sys.exit(main())
