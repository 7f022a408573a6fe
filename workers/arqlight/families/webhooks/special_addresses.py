"""Addresses at which no receiver of webhooks can be: IANA's registries of special purposes, and clouds' metadata.

Python's `is_global` differs between releases, and takes for public what is not (site-local addresses, a cloud's
metadata at an address that looks like any other). So there is a table of our own beside it. What IANA calls
globally reachable is in the table as well: anycast services of a network's own router are no receivers.

https://www.iana.org/assignments/iana-ipv4-special-registry
https://www.iana.org/assignments/iana-ipv6-special-registry
"""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAMES = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by a provider's customers",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "for protocols",
    "192.0.2.0/24": "for documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "AMT",
    "192.88.99.0/24": "a relay of 6to4",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "AS112",
    "198.18.0.0/15": "for benchmarks",
    "198.51.100.0/24": "for documentation",
    "203.0.113.0/24": "for documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    # Within 2000::/3; nothing else of IPv6 is given out to anybody.
    "2001::/23": "for protocols",  # Teredo, ORCHID, DRIP, benchmarks, anycast services
    "2001:db8::/32": "for documentation",
    "2620:4f:8000::/48": "AS112",
    "3fff::/20": "for documentation",
}
SPECIAL: dict[Network, str] = {ipaddress.ip_network(text): name for text, name in _NAMES.items()}
_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")

# What gives its credentials to whoever asks from within a machine of the cloud.
METADATA: frozenset[Address] = frozenset(
    map(
        ipaddress.ip_address,
        (
            "169.254.169.254",  # AWS, Google, Azure, DigitalOcean, Hetzner, OpenStack, Oracle and others
            "169.254.170.2",  # AWS: containers (ECS)
            "169.254.170.23",  # AWS: pods (EKS)
            "169.254.169.253",  # AWS: DNS
            "169.254.0.23",  # Tencent
            "fd00:ec2::254",  # AWS
            "fd00:ec2::23",  # AWS: pods (EKS)
            "fd00:ec2::253",  # AWS: DNS
            "fd20:ce::254",  # Google
            "fd00:c1::a9fe:a9fe",  # Oracle
            "fd00:42::42",  # Scaleway
            "169.254.42.42",  # Scaleway
            "168.63.129.16",  # Azure: an address that looks like any other
            "100.100.100.200",  # Alibaba
            "192.0.0.192",  # Oracle
        ),
    )
)

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: how a network without IPv4 reaches it
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)  # RFC 5214: before the IPv4 address in the last four bytes


def destinations(address: Address) -> tuple[Address, ...]:
    """Where a packet to `address` goes: to itself, or to an IPv4 address within it, or over the one to the other."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    last = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.ipv4_mapped or address in _NAT64:
        return (last,)
    if address in _SIX_TO_FOUR:
        return address, ipaddress.IPv4Address(int(address) >> 80 & 0xFFFF_FFFF)
    if int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        return address, last
    return (address,)


def special_purpose(address: Address) -> str | None:
    """What `address` is for, when that is not a receiver: by the table alone, the same with every Python."""
    if address in METADATA:
        return "a cloud's metadata"
    if isinstance(address, ipaddress.IPv6Address) and address not in _GIVEN_OUT:
        return "not one that is given out on the internet"
    return next((name for network, name in SPECIAL.items() if address in network), None)
