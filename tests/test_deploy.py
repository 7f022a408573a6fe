"""The deployment files are what their tools say they should be."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.conftest import ROOT
from workers.tasks import TASKS

DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
MANIFESTS: dict[str, dict[str, Any]] = {
    f"{path.stem}-{document['kind']}": document
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


@pytest.mark.parametrize("name", [name for name in MANIFESTS if "Scaled" not in name])  # KEDA's own kind
def test_the_manifests_follow_kubernetes_strictly(name: str) -> None:
    kubernetes_validate.validate(MANIFESTS[name], "1.34", strict=True)


def test_a_worker_is_given_more_time_to_stop_than_its_longest_task_takes() -> None:
    # Those that go on where they were are put back at once; the others are finished better than begun anew.
    longest_s = max(task.timeout_s or 0 for task in TASKS if task.queue not in ("arq:queue:bulk", "arq:queue:sync"))
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert int(compose["services"]["worker"]["stop_grace_period"].rstrip("s")) > longest_s
    pod = MANIFESTS["worker-Deployment"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > longest_s


def test_the_scaler_scales_the_worker_on_the_depth_of_the_queues() -> None:
    scaler = MANIFESTS["worker-ScaledObject"]
    assert scaler["spec"]["scaleTargetRef"] == {"name": "arqlight-worker"}
    assert scaler["spec"]["triggers"][0]["metadata"]["valueLocation"] == "queued"
