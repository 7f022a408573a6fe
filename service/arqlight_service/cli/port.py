"""The port a service is to listen on."""

import errno
import socket

from arqlight.errors import SettingsError


def check_port(host: str, port: int) -> None:
    """Raise SettingsError for a port that is taken, before anything is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise SettingsError(f"ARQLIGHT_PORT={port} is taken by another program; choose another") from None
            raise SettingsError(f"ARQLIGHT_HOST={host!r} cannot be bound: {error.strerror}") from None


def free_port(host: str) -> int:
    """A port that nobody listens on now."""
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])
