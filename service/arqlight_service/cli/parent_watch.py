"""Children of `arqlight up` stop when it does, however it ends: its end of their standard input closes."""

import os
import signal
import sys
import threading


def watch_parent() -> None:
    """Send this process SIGTERM when the parent is gone."""

    def wait() -> None:
        # The descriptor, not sys.stdin: a lock held by a buffered reader would hinder the interpreter's exit.
        while os.read(sys.stdin.fileno(), 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="watch-parent", daemon=True).start()
