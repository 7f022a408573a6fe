"""The files that GitHub and pre-commit read are as they expect them, and say what the project has."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.support.environments import PYTHONS

BIN = Path(sys.executable).parent
GITHUB = ROOT / ".github"
FOLLOWS = {
    "workflows/ci.yml": ("vendor.github-workflows", "custom.github-workflows-require-timeout"),
    "ISSUE_TEMPLATE/bug.yml": ("vendor.github-issue-forms",),
    "ISSUE_TEMPLATE/feature.yml": ("vendor.github-issue-forms",),
    "ISSUE_TEMPLATE/config.yml": ("vendor.github-issue-config",),
}


def _workflow() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text())
    return read


def _run(*command: str, **environment: str) -> None:
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "schema"), [(file, schema) for file, schemas in FOLLOWS.items() for schema in schemas]
)
def test_the_files_for_github_follow_its_schemas(file: str, schema: str) -> None:
    _run(str(BIN / "check-jsonschema"), "--builtin-schema", schema, str(GITHUB / file))


def test_every_file_for_github_has_a_schema_here() -> None:
    assert {str(path.relative_to(GITHUB)) for path in GITHUB.rglob("*.yml")} == set(FOLLOWS)


def test_every_job_of_the_workflow_may_only_read_the_repository() -> None:
    workflow = _workflow()
    assert workflow["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in workflow["jobs"].values())


def test_every_supported_python_is_tested_and_named() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert _workflow()["jobs"]["unit"]["strategy"]["matrix"]["python"] == list(PYTHONS) == named
    assert project["requires-python"] == f">={PYTHONS[0]}"


def test_the_commands_that_continuous_integration_runs_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    commands = [step["run"] for job in _workflow()["jobs"].values() for step in job["steps"] if "run" in step]
    assert ".ci/run" in commands
    for target in re.findall(r"\bmake (\S+)", "\n".join([*commands, (ROOT / ".ci" / "run").read_text()])):
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), target


def test_the_hooks_before_a_commit_use_the_programs_of_the_environment_and_download_nothing(tmp_path: Path) -> None:
    _run(str(BIN / "pre-commit"), "validate-config", PRE_COMMIT_HOME=str(tmp_path))
    hooks = [
        hook
        for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
        for hook in repo["hooks"]
    ]
    assert {hook["id"] for hook in hooks} == {"ruff", "ruff-format", "mypy"}
    for hook in hooks:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/")
        assert (BIN / hook["entry"].split()[0].removeprefix(".venv/bin/")).exists()


def test_what_contributing_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    paths = re.findall(r"(?<![\w/.])(?:tests|workers|service|web|\.ci)/[\w./-]+", text)
    assert len(paths) > 15
    assert [path for path in paths if not (ROOT / path).exists()] == []
    targets = re.findall(r"`make ([\w ./-]+)`", text)
    assert [
        target
        for target in " ".join(targets).split()
        if not re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE)
    ] == []
