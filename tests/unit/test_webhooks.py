"""Where webhooks may not go."""

import ipaddress

import pytest

from arqlight.families.webhooks.network import refusal
from arqlight.families.webhooks.special_addresses import METADATA, special_purpose

# IANA's registries as of 2025-10-09, whole, with what they say of "globally reachable".
REGISTRY_V4 = {
    "0.0.0.0/8": False, "0.0.0.0/32": False, "10.0.0.0/8": False, "100.64.0.0/10": False, "127.0.0.0/8": False,
    "169.254.0.0/16": False, "172.16.0.0/12": False, "192.0.0.0/24": False, "192.0.0.0/29": False, "192.0.0.8/32": False,
    "192.0.0.9/32": True, "192.0.0.10/32": True, "192.0.0.170/32": False, "192.0.0.171/32": False, "192.0.2.0/24": False,
    "192.31.196.0/24": True, "192.52.193.0/24": True, "192.88.99.0/24": None, "192.88.99.2/32": False,
    "192.168.0.0/16": False, "192.175.48.0/24": True, "198.18.0.0/15": False, "198.51.100.0/24": False,
    "203.0.113.0/24": False, "240.0.0.0/4": False, "255.255.255.255/32": False,
}  # fmt: skip
REGISTRY_V6 = {
    "::1/128": False, "::/128": False, "::ffff:0:0/96": False, "64:ff9b::/96": True, "64:ff9b:1::/48": False,
    "100::/64": False, "100:0:0:1::/64": False, "2001::/23": False, "2001::/32": None, "2001:1::1/128": True,
    "2001:1::2/128": True, "2001:1::3/128": True, "2001:2::/48": False, "2001:3::/32": True, "2001:4:112::/48": True,
    "2001:10::/28": None, "2001:20::/28": True, "2001:30::/28": True, "2001:db8::/32": False, "2002::/16": None,
    "2620:4f:8000::/48": True, "3fff::/20": False, "5f00::/16": False, "fc00::/7": False, "fe80::/10": False,
}  # fmt: skip
BESIDE = ["224.0.0.0/4", "ff00::/8", "fec0::/10", "::/96", "::ffff:0:0:0/96", "4000::/3", "200::/7", "fe00::/9"]
# Through these an IPv4 address is reached, and it decides.
CARRIERS = {"::ffff:0:0/96", "64:ff9b::/96", "2002::/16"}


@pytest.mark.parametrize("block", sorted({*REGISTRY_V4, *REGISTRY_V6, *BESIDE} - CARRIERS))
def test_nothing_of_a_special_purpose_is_reached_whatever_python_says_of_it(block: str) -> None:
    network = ipaddress.ip_network(block)
    for address in {network[0], network[-1], network[network.num_addresses // 2], network[network.num_addresses // 3]}:
        assert special_purpose(address), address  # by the table alone: `is_global` differs between releases of Python
        assert refusal(str(address), ()), address


@pytest.mark.parametrize("block", [*REGISTRY_V4, "224.0.0.0/4", *sorted(map(str, METADATA))])
def test_no_special_address_is_reached_through_another(block: str) -> None:
    network = ipaddress.ip_network(block)
    for address in {network[0], network[-1], network[network.num_addresses // 2]}:
        assert refusal(str(address), ())
        if address.version == 4:
            number = int(address)
            for carried in (
                0xFFFF << 32 | number,  # mapped
                0xFFFF << 48 | number,  # translated (SIIT)
                number,  # compatible
                0x64_FF9B << 96 | number,  # NAT64
                0x64_FF9B_0001 << 80 | number,  # NAT64 of a network's own
                0x2002 << 112 | number << 80 | 1,  # 6to4
                0x2001_0000 << 96 | 0x0808_0808 << 64 | (number ^ 0xFFFF_FFFF),  # Teredo: the client
                0x2001_0000 << 96 | number << 64 | (0x0808_0808 ^ 0xFFFF_FFFF),  # Teredo: the server
                0x2600_1234 << 96 | 0x5EFE << 32 | number,  # ISATAP
                0x2600_1234 << 96 | 0x0200_5EFE << 32 | number,
            ):
                assert refusal(str(ipaddress.IPv6Address(carried)), ()), ipaddress.IPv6Address(carried)


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "2606:2800:220:1::1", "8.8.8.8", "::ffff:93.184.216.34", "64:ff9b::808:808", "168.63.129.15",
     "192.0.1.1", "198.17.255.255", "2001:200::1", "2a00:1450:4001::1", "223.255.255.255"],
)  # fmt: skip
def test_a_public_address_is_reached_in_ipv6_dress_too(address: str) -> None:
    assert refusal(address, ()) is None


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd20:ce::254"]
)
def test_the_metadata_of_the_large_clouds_is_known_as_such(address: str) -> None:
    assert "metadata" in str(refusal(address, ()))


@pytest.mark.parametrize("address", ["fe80::1%eth0", "fe80::1%25", "::ffff:127.0.0.1%lo"])
def test_a_zone_makes_no_address_public(address: str) -> None:
    assert refusal(address, ())


@pytest.mark.parametrize("address", sorted(map(str, METADATA)))
def test_the_metadata_of_a_cloud_is_not_among_the_networks_that_are_allowed(address: str) -> None:
    """Whoever lets webhooks into their own networks does not mean the credentials of the machine."""
    everything = [ipaddress.ip_network(text) for text in ("0.0.0.0/0", "::/0")]
    assert "metadata" in str(refusal(address, everything))
    assert refusal(address, [ipaddress.ip_network(address)]) is None
    if ":" not in address:
        assert "metadata" in str(refusal(f"::ffff:{address}", everything))
        assert "metadata" in str(refusal(f"64:ff9b::{address}", everything))
    assert refusal("10.0.0.1", everything) is None


def test_a_network_that_is_allowed_allows_no_other_through_it() -> None:
    allowed = [ipaddress.ip_network("10.0.0.0/8")]
    assert refusal("::ffff:10.0.0.1", allowed) is None
    assert refusal("64:ff9b::10.0.0.1", allowed) is None
    assert refusal("2001:0:a00:1::1", allowed), "Teredo: the server is allowed, where it goes to is not"
    assert refusal("::ffff:192.168.0.1", allowed)
