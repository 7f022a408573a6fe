"""Many subscribers of the feed in one process, as cheap as can be: it measures the service, not itself.

    python -m tests.benchmarks.fanout_subscribers PORT SUBSCRIBERS SECONDS STALLED

STALLED of them stop reading after their snapshot. Prints "ready", then one line of JSON: the latencies of failures in ms
(from the server's clock at the failure to the arrival at each subscriber), and how many failures which subscriber missed.
"""

import base64
import json
import os
import select
import socket
import struct
import sys
import time
from array import array
from datetime import datetime

SUBSCRIPTION = json.dumps({"subscribe": ["counts", "active", "failed"], "since": None}).encode()
# Ids of the failures told, and when the last of them failed (s since the epoch).
News = tuple[list[str], float]


class Subscriber:
    """One WebSocket; takes unmasked, unfragmented text frames, which is what the service sends."""

    def __init__(self, port: int) -> None:
        self.rest = b""
        self.failures: set[str] = set()
        self.is_lost = False
        self.pings = 0
        self.socket = socket.create_connection(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /api/v1/feed HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: arqlight.v1\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.socket.recv(65536)
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        if b" 101 " not in head:
            raise SystemExit(f"refused: {head!r}")
        self.send(0x81, SUBSCRIPTION)
        snapshots = 0
        while snapshots < 3:
            snapshots += sum(
                frame.startswith(b'{"type": "snapshot"') for frame in self.frames(self.socket.recv(1 << 18))
            )
        self.socket.setblocking(False)

    def send(self, opcode: int, payload: bytes) -> None:
        """A short frame. A mask of zeros leaves the payload as it is (RFC 6455, 5.3)."""
        self.socket.sendall(struct.pack("!BB", opcode, 0x80 | len(payload)) + b"\0\0\0\0" + payload)

    def frames(self, data: bytes) -> list[bytes]:
        """The text messages that are whole by now; pings are answered."""
        buffer, at, texts = self.rest + data, 0, []
        while len(buffer) - at >= 2:
            size, start = buffer[at + 1], at + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                size, start = int.from_bytes(buffer[start : start + width], "big"), start + width
            if len(buffer) < start + size:
                break
            if buffer[at] == 0x89:
                self.pings += 1
                self.send(0x8A, buffer[start : start + size])
            elif buffer[at] == 0x81:
                texts.append(buffer[start : start + size])
            at = start + size
        self.rest = buffer[at:]
        return texts


def read_news(texts: list[bytes]) -> News:
    """What frames tell of failures."""
    ids: list[str] = []
    latest = 0.0
    for text in texts:
        if text.startswith(b'{"type": "change", "topic": "failed"'):
            for job in json.loads(text)["data"]["added"]:
                ids.append(job["id"])
                latest = max(latest, datetime.fromisoformat(job["failed_at"]).timestamp())
    return ids, latest


def follow(subscribers: dict[int, Subscriber], poller: select.epoll, seconds: float, late_ms: "array[float]") -> None:
    """Read everybody for so long."""
    # Everybody in step gets the same bytes, mostly in one piece: they are looked into once.
    known: dict[bytes, News] = {}
    until = time.time() + seconds
    while time.time() < until:
        for descriptor, _ in poller.poll(0.1):
            subscriber = subscribers[descriptor]
            data = subscriber.socket.recv(1 << 18)
            if not data:
                subscriber.is_lost = True
                poller.unregister(descriptor)
                continue
            if subscriber.rest:
                news = read_news(subscriber.frames(data))
            elif (cached := known.get(data)) is not None:
                news = cached
            else:
                pings = subscriber.pings
                news = read_news(subscriber.frames(data))
                if not subscriber.rest and subscriber.pings == pings:  # a ping is answered by each
                    known[data] = news
            if news[1]:
                subscriber.failures.update(news[0])
                late_ms.append((time.time() - news[1]) * 1000)


def main(port: int, count: int, seconds: float, stalled: int) -> None:
    """Connect all, say so, follow, report."""
    held = [Subscriber(port) for _ in range(stalled)]
    reading: list[Subscriber] = []
    by_descriptor: dict[int, Subscriber] = {}
    poller = select.epoll()
    for number in range(count - stalled):
        subscriber = Subscriber(port)
        reading.append(subscriber)
        by_descriptor[subscriber.socket.fileno()] = subscriber
        poller.register(subscriber.socket, select.EPOLLIN)
        if number % 100 == 0:  # those that are there already answer the service's pings meanwhile
            follow(by_descriptor, poller, 0.01, array("d"))
    print("ready", flush=True)
    late_ms: array[float] = array("d")
    follow(by_descriptor, poller, 3, array("d"))  # the flow begins
    follow(by_descriptor, poller, seconds, late_ms)
    follow(by_descriptor, poller, 4, array("d"))  # it has stopped: what is on its way arrives
    every = set().union(*(subscriber.failures for subscriber in reading))
    for subscriber in held:
        subscriber.socket.close()
    report = {
        "latencies_ms": list(late_ms),
        "failures": len(every),
        "missing": sum(len(every) - len(subscriber.failures) for subscriber in reading),
        "lost": sum(subscriber.is_lost for subscriber in reading),
    }
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
