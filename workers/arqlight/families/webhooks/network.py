"""Where webhooks may go: not to this machine, not into private networks, unless a setting allows it.

The address is looked at as a connection is made, after the name was resolved: whatever a name, a redirect or an odd
spelling (`0x7f.1`, `[::ffff:10.0.0.1]`) comes to, it is an address by then, and the one that is looked at is the one
that is connected to.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any

import aiohttp

from arqlight.errors import PermanentFailure
from arqlight.families.webhooks.settings import WebhookSettings
from arqlight.families.webhooks.special_addresses import METADATA, Network, destinations, special_purpose
from arqlight.settings import Settings, split_names


class ForbiddenAddress(PermanentFailure):
    """A webhook would go to a private, loopback, link-local or otherwise special address."""


def allowed_networks(settings: Settings) -> tuple[Network, ...]:
    """The networks that are allowed although they are not public."""
    return tuple(
        ipaddress.ip_network(name) for name in split_names(settings.of(WebhookSettings).webhook_allowed_networks)
    )


def refusal(text: str, allowed: Sequence[Network]) -> str | None:
    """Why nothing may be sent to the address `text`, or None when it may."""
    address = ipaddress.ip_address(text.partition("%")[0])
    through = destinations(address)
    if any(each in METADATA for each in through):
        # Whoever allows a network does not mean the credentials of their machines: only the address itself allows it.
        allowed = [network for network in allowed if network.num_addresses == 1]
    if any(each in network for each in {address, through[-1]} for network in allowed):
        return None
    for each in through:
        purpose = special_purpose(each)
        if purpose or not each.is_global or each.is_multicast:
            return f"{text} is not a public address" + (f": it is {purpose}" if purpose else "")
    return None


def guarded_connector(settings: Settings) -> aiohttp.TCPConnector:
    """A connector that opens sockets to allowed addresses only."""
    # No cache of names: what an endpoint resolves to is looked up, and looked at, for each new connection.
    make = partial(_guarded_socket, allowed_networks(settings))
    return aiohttp.TCPConnector(socket_factory=make, use_dns_cache=False, limit_per_host=10)


def _guarded_socket(allowed: Sequence[Network], info: Any) -> socket.socket:
    family, kind, protocol, _, address = info
    reason = refusal(address[0], allowed)
    if reason is not None:
        raise ForbiddenAddress(
            f"webhooks do not go there: {reason}; ARQLIGHT_WEBHOOK_ALLOWED_NETWORKS names networks that are allowed"
        )
    opened = socket.socket(family, kind, protocol)
    opened.setblocking(False)
    return opened


async def check_host(host: str, port: int, settings: Settings) -> None:
    """Say at once that a name resolves to a forbidden address; at each delivery it is looked at again.

    Raises ForbiddenAddress, OSError when the name does not resolve.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = allowed_networks(settings)
    for *_, address in found:
        if reason := refusal(str(address[0]), allowed):
            raise ForbiddenAddress(
                reason if str(address[0]) == host else f"{host!r} resolves to {address[0]}, and {reason}"
            )
