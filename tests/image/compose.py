"""`deploy/compose.yaml` as flags of `run`: the environment, the limits and the volumes are the file's own."""

import os
import re
from dataclasses import dataclass
from typing import Any

import yaml

from tests.image.engine import ROOT

FILE = ROOT / "deploy" / "compose.yaml"
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


@dataclass(frozen=True)
class Service:
    """A service of the file."""

    environment: dict[str, str]
    command: list[str]
    flags: list[str]
    healthcheck: list[str]
    replicas: int
    grace_s: int

    def arguments(self, image: str, volumes: dict[str, str], more: dict[str, str]) -> list[str]:
        """For `run`: the flags, the environment with `more`, the image and its command."""
        environment = [f"--env={name}={value}" for name, value in (self.environment | more).items()]
        mounts = []
        for flag in self.flags:
            for name, real in volumes.items():
                flag = flag.replace(f"--volume={name}:", f"--volume={real}:")
            mounts.append(flag)
        return [*mounts, *environment, image, *self.command]


def read_services(variables: dict[str, str], hosts: dict[str, str]) -> dict[str, Service]:
    """Our services, with variables replaced as compose does.

    `hosts` are the addresses that take the place of names which only compose's own network knows.
    """
    services = yaml.safe_load(FILE.read_text())["services"]
    return {name: _service(services[name], variables, hosts) for name in ("server", "worker")}


def _service(given: dict[str, Any], variables: dict[str, str], hosts: dict[str, str]) -> Service:
    environment = {}
    for name, value in given["environment"].items():
        if value is None:  # passed on where it is set
            value = variables.get(name)
        if value is not None:
            environment[name] = _at(hosts, substituted(str(value), variables))
    flags = ["--read-only"] if given["read_only"] else []
    flags += [f"--tmpfs={path}" for path in given["tmpfs"]]
    flags += [f"--cap-drop={name}" for name in given["cap_drop"]]
    flags += [f"--security-opt={option}" for option in given["security_opt"]]
    flags += [f"--volume={volume}" for volume in given["volumes"]]
    grace_s = int(given["stop_grace_period"].removesuffix("s"))
    flags.append(f"--stop-timeout={grace_s}")
    check = given["healthcheck"]["test"]
    assert check[0] == "CMD", check
    return Service(environment, given["command"], flags, check[1:], given.get("deploy", {}).get("replicas", 1), grace_s)


def substituted(text: str, variables: dict[str, str]) -> str:
    """`${NAME}`, `${NAME:-default}` and `${NAME:?what to do}`."""

    def value(found: re.Match[str]) -> str:
        given = variables.get(found["name"], os.environ.get(found["name"], ""))
        if given or found["kind"] is None:
            return given
        assert found["kind"] == "-", f"{found['name']} has to be set: {found['rest']}"
        return found["rest"]

    return _VARIABLE.sub(value, text)


def _at(hosts: dict[str, str], text: str) -> str:
    for name, address in hosts.items():
        text = re.sub(rf"(?<=[/@]){re.escape(name)}(?=/|$)", address, text)
    return text
