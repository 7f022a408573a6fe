"""Proxies that are named in the settings, and nobody else, may say for whom they ask.

`X-Forwarded-For`, `-Proto` and `-Host` are read from the right: the last entry that is no named proxy is the client
(as in RFC 7239, 5.2 and nginx' `real_ip_recursive`).
"""

import ipaddress
from typing import Any

from aiohttp import web

from arqlight.settings import Settings, split_names
from arqlight_service.auth.role_rules import Grants
from arqlight_service.auth.roles import Role

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """What the settings say of proxies."""

    def __init__(self, settings: Settings) -> None:
        self._networks: list[Network] = [ipaddress.ip_network(name) for name in split_names(settings.trusted_proxies)]
        self._user_header = settings.proxy_user_header

    def is_named(self, address: str | None) -> bool:
        """Whether what this address says about a request is believed."""
        try:
            found = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self._networks)

    def seen_through(self, request: web.Request) -> web.Request:
        """The request as the client sent it to the proxy; as it came, when no named proxy sent it."""
        if not self.is_named(request.remote):
            return request
        changed: dict[str, Any] = {}
        hops = [hop.strip() for line in request.headers.getall("X-Forwarded-For", []) for hop in line.split(",")]
        for hop in reversed(hops):
            if not _is_address(hop):
                break
            changed["remote"] = hop
            if not self.is_named(hop):
                break
        scheme = request.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower()
        if scheme in ("http", "https"):
            changed["scheme"] = scheme
        host = request.headers.get("X-Forwarded-Host", "").rpartition(",")[2].strip()
        if host:
            changed["host"] = host
        return request.clone(**changed) if changed else request

    def user_of(self, request: web.Request, grants: Grants) -> tuple[str, Role] | None:
        """Whom the proxy signed in; None without a name, or for a name that no pattern gives a role."""
        names = request.headers.getall(self._user_header, [])
        if len(names) != 1:
            return None
        name = names[0].strip()
        role = grants.role_of(name)
        return (name, role) if role else None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
