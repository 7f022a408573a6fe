"""Whose bounds a client counts against: its address, or the /64 of an IPv6 address, all of which one customer has."""

import ipaddress

UNKNOWN = "unknown"
IPV6_PREFIX = 64


def network_of(address: str | None) -> str:
    """The client that an address stands for; what is no address (a Unix socket's peer) is one client."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))
