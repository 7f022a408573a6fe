"""`deploy/kubernetes/*.yaml`, as far as `podman kube play` plays them; what it cannot is printed by name, with the reason.

podman starts Deployments as pods and reads Secrets. It has no policies, no scalers and no balancing: such documents are
left out, and the reason podman gives for each is asserted, so that a podman that learns them makes a test fail.
"""

import base64
import json
import resource
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from tests.image.engine import IMAGE, ROOT, Engine, find_engine
from tests.image.parties import Parties, free_port
from tests.support.waiting import eventually

FOLDER = ROOT / "deploy" / "kubernetes"
DOCUMENTS = {
    f"{document['kind']} {document['metadata']['name']}": document
    for path in sorted(FOLDER.glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
}
PLAYED = ("Deployment arqlight-server", "Deployment arqlight-worker")
POD = "arqlight-{}-pod-0"
NO_KIND = "YAML document does not contain any supported kube kind"
SECRET = "arqlight"
NO_JSON = "is not valid JSON"
NO_PORTS = "PortMappings can only be used with Bridge or slirp4netns networking"


def _play(engine: Engine, folder: Path, *documents: dict[str, Any]) -> None:
    """`podman kube play` on the host's network. Raises AssertionError with what podman says."""
    path = folder / "played.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # `kube play` has no flag for limits; its default is above what an unprivileged machine may set.
    settings = folder / "containers.conf"
    settings.write_text(f'[containers]\ndefault_ulimits = ["nofile={limit}:{limit}", "nproc=32768:32768"]\n')
    engine("kube", "play", "--network=host", str(path), environment={"CONTAINERS_CONF": str(settings)})


@pytest.fixture(scope="module")
def podman() -> Engine:
    engine = find_engine()
    assert engine.plays_kubernetes, "docker plays no Kubernetes manifests: install podman, or set ARQLIGHT_ENGINE"
    engine("image", "inspect", "--format", "{{.Id}}", IMAGE)
    return engine


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name not in PLAYED])
def test_what_podman_cannot_play_is_refused_for_the_reason_that_is_known(
    podman: Engine, say: Callable[[str], None], name: str, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=NO_KIND):
        _play(podman, tmp_path, DOCUMENTS[name])
    say(f"not played: {name}: podman has no such kind")


def test_the_ports_of_the_service_cannot_be_mapped_where_there_is_only_the_hosts_network(
    podman: Engine, say: Callable[[str], None], tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=NO_PORTS):
        _play(podman, tmp_path, DOCUMENTS["Deployment arqlight-server"])
    say(f"not played: ports and replicas of Deployment arqlight-server: {NO_PORTS}")


@pytest.fixture(scope="module")
def service_port(
    podman: Engine,
    valkey_with_password: tuple[str, str],
    parties: Parties,
    say: Callable[[str], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[int]:
    """Both Deployments run. Where the service is."""
    folder, port = tmp_path_factory.mktemp("kubernetes"), free_port()
    values = {
        "ARQLIGHT_REDIS_URL": f"redis://:{valkey_with_password[1]}@{valkey_with_password[0]}/0",
        "ARQLIGHT_SECRET_KEY": secrets.token_hex(32),
        "ARQLIGHT_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "ARQLIGHT_PORT": str(port),
    }
    _remove(podman)
    try:
        for name in PLAYED:
            _play_with_secret(podman, folder, _on_this_host(DOCUMENTS[name]), values, say)
        yield port
    finally:
        _remove(podman)


def _play_with_secret(
    podman: Engine, folder: Path, document: dict[str, Any], values: dict[str, str], say: Callable[[str], None]
) -> None:
    """With the Secret as `kubectl create secret generic` writes it, where podman can read its own copy of that."""
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "arqlight"}, "data": encoded}
    try:
        _play(podman, folder, *([] if SECRET in podman("secret", "ls") else [secret]), document)
    except AssertionError as error:
        if NO_JSON not in str(error):
            raise
        _remove(podman)
        podman("secret", "create", SECRET, "-", given=json.dumps(encoded))
        say(f"not played: Secret {SECRET}: this podman keeps the manifest, then wants JSON ({NO_JSON}); made from JSON")
        _play(podman, folder, document)


def _remove(podman: Engine) -> None:
    for command in (
        *(("pod", "rm", "--force", POD.format(name)) for name in ("server", "worker")),
        ("secret", "rm", SECRET),
    ):
        subprocess.run([*podman.ask, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def _on_this_host(deployment: dict[str, Any]) -> dict[str, Any]:
    """One pod without its list of ports: on the host's network podman maps none, and two could not share one."""
    changed: dict[str, Any] = json.loads(json.dumps(deployment))
    changed["spec"]["replicas"] = 1
    for container in changed["spec"]["template"]["spec"]["containers"]:
        container.pop("ports", None)
    return changed


async def _status(port: int, path: str, host: str, token: str = "") -> int:
    headers = {"Host": host} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(f"http://127.0.0.1:{port}{path}", allow_redirects=False) as answer,
        ):
            return answer.status
    except aiohttp.ClientError:
        return 0


async def test_the_deployments_start_as_locked_down_as_they_say(
    podman: Engine, service_port: int, say: Callable[[str], None]
) -> None:
    for name in ("server", "worker"):
        container = f"{POD.format(name)}-{name}"
        [found] = json.loads(podman("inspect", container))
        assert found["State"]["Running"], podman.logs(container)
        assert found["HostConfig"]["ReadonlyRootfs"]
        assert found["Config"]["User"] == "10001"
        status = podman("exec", container, "cat", "/proc/self/status")
        kept = {line.split(":")[0]: line.split(":")[1].strip() for line in status.splitlines()}
        assert (int(kept["CapBnd"], 16), kept["NoNewPrivs"]) == (0, "1")
        podman("exec", container, "touch", "/tmp/here")
        say(
            f"played: Deployment arqlight-{name} as one pod (image, command, Secret, environment, emptyDir, securityContext)"
        )


async def test_the_probes_answer(podman: Engine, service_port: int, say: Callable[[str], None]) -> None:
    server = DOCUMENTS["Deployment arqlight-server"]["spec"]["template"]["spec"]["containers"][0]
    for kind in ("livenessProbe", "readinessProbe"):
        path = server[kind]["httpGet"]["path"]

        async def answers(path: str = path) -> bool:
            return await _status(service_port, path, "10.244.0.17:8080") == 200  # kubelet names the pod's address

        await eventually(answers, within_s=30)
    worker = DOCUMENTS["Deployment arqlight-worker"]["spec"]["template"]["spec"]["containers"][0]
    container = POD.format("worker") + "-worker"
    await eventually(lambda: "Starting worker" in podman.logs(container), within_s=30)

    def holds_a_lease() -> bool:
        done = subprocess.run(
            [*podman.ask, "exec", container, *worker["livenessProbe"]["exec"]["command"]],
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    await eventually(holds_a_lease, within_s=30)
    say(
        "not played: probes: podman runs httpGet by a curl in the container and all probes by systemd; they were asked by hand"
    )


async def test_the_scaler_is_answered_at_the_address_and_with_the_token_that_the_manifests_name(
    podman: Engine, service_port: int
) -> None:
    token = podman(
        "exec", POD.format("server") + "-server", "arqlight", "token", "add", "scaler", "--scope=viewer", "--days=366"
    ).strip()
    address = DOCUMENTS["ScaledObject arqlight-worker"]["spec"]["triggers"][0]["metadata"]["url"]
    host, _, path = address.removeprefix("http://").partition("/")
    assert await _status(service_port, f"/{path}", host, token) == 200
    assert await _status(service_port, f"/{path}", host) == 401
    assert await _status(service_port, f"/{path}", "evil.example", token) == 421


async def test_a_job_passes_from_the_services_pod_to_the_workers(
    podman: Engine, service_port: int, parties: Parties
) -> None:
    podman("exec", POD.format("server") + "-server", "arqlight", "enqueue", "deliver_webhook", f"url={parties.address}/pods",
           "event=licence.issued", 'payload={"n":1}')  # fmt: skip
    await eventually(lambda: any(path == "/pods" for path, *_ in parties.received), within_s=30)


def test_the_pods_end_well_when_they_are_told_to(podman: Engine, service_port: int) -> None:
    for name in ("server", "worker"):
        podman("pod", "stop", "--time=30", POD.format(name))
        assert podman("inspect", "--format", "{{.State.ExitCode}}", f"{POD.format(name)}-{name}").strip() == "0"
