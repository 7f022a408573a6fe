"""schemathesis against a running service: what its document says is sent, and more; every answer is held against it."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

Spawn = Callable[..., subprocess.Popen[str]]
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance"
)


async def drive(
    spawn: Spawn,
    database_url: str,
    folder: Path,
    *,
    phases: str,
    examples: int,
    seed: int,
    limit_s: int,
    parameters: dict[str, str] | None = None,
) -> int:
    """Run it; how many requests it sent. Fails with its report when an answer was a 5xx, or none the document knows.

    :param parameters: values for parameters of paths, `{"path.queue": "default"}`, so that calls find something.
    """
    lines = [f'"{name}" = "{value}"' for name, value in (parameters or {}).items()]
    (folder / "schemathesis.toml").write_text("\n".join(["[parameters]", *lines, ""]))
    service = spawn(
        "server", "--port", "0", ARQLIGHT_DATABASE_URL=database_url, ARQLIGHT_DATA_DIR=str(folder),
        ARQLIGHT_LOG_LEVEL="ERROR", ARQLIGHT_SECRET_KEY="k" * 32,
    )  # fmt: skip
    assert service.stdout
    address = (await asyncio.to_thread(service.stdout.readline)).split()[-1]
    reading = asyncio.create_task(asyncio.to_thread(service.stdout.read))
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{address}/api/v1/openapi.json",
        "--phases", phases, "--checks", CHECKS, "--max-examples", str(examples), "--workers", "2",
        "--seed", str(seed), "--no-color", "--generation-database", "none", "--continue-on-failure",
        "--request-timeout", "10", "--suppress-health-check", "all", "--max-time", str(limit_s),
    ]  # fmt: skip
    run = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, cwd=folder, timeout=limit_s + 120, check=False
    )
    service.terminate()
    log = await reading
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
    assert "arqlight.service" not in log, log[-5_000:]  # where what nobody expected is logged
    cases = re.search(r"(\d+) generated", run.stdout)
    assert cases, run.stdout[-2_000:]
    return int(cases[1])
