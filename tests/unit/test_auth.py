"""Who gets in, what each role may, and for how long."""

from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import web

from arqlight.errors import SettingsError
from arqlight.settings import load_settings
from arqlight_service.auth.middleware import is_own_address, refuse_open_service
from arqlight_service.auth.sign_in import inside


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"host": "0.0.0.0"}, "ARQLIGHT_AUTH=users"),
        ({"host": "::"}, "would let anyone"),
        ({"host": "10.1.2.3", "auth": "users"}, "ARQLIGHT_PUBLIC_URL"),
        ({"auth": "proxy"}, "ARQLIGHT_TRUSTED_PROXIES"),
        ({"auth": "proxy", "trusted_proxies": "10.0.0.0/8", "roles": "ada"}, "'ada' is not pattern=role"),
        ({"auth": "proxy", "trusted_proxies": "10.0.0.0/8", "roles": "*=root"}, "is not pattern=role"),
        ({"auth": "proxy", "trusted_proxies": "10.0.0.0/8", "roles": "\uff41da=admin"}, "fits nobody"),
    ],
)
def test_a_service_that_others_reach_does_not_start_without_sign_in(changes: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words.replace("*", r"\*")):
        refuse_open_service(load_settings(**changes))


def test_a_service_with_sign_in_may_be_reached_by_others() -> None:
    refuse_open_service(load_settings(host="0.0.0.0", auth="users", public_url="https://jobs.example.org"))
    refuse_open_service(
        load_settings(
            host="0.0.0.0", auth="proxy", allowed_hosts="jobs", trusted_proxies="10.0.0.0/8", roles="*=viewer"
        )
    )


@pytest.mark.parametrize(
    "address",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil", "/\t/evil", "javascript:alert(1)", "",
     "jobs", "/\u2028x", "http:/evil"],
)  # fmt: skip
def test_nobody_is_led_to_another_site(address: str) -> None:
    assert inside(address) == "/"


@pytest.mark.parametrize(
    ("own", "is_own"),
    [(("10.1.2.3", 8080), True), (("::ffff:10.1.2.3", 8080, 0, 0), True), (("10.1.2.30", 8080), False), ("/run/x", False),
     (None, False)],
)  # fmt: skip
def test_the_address_that_a_connection_was_taken_at_is_our_own(own: object, is_own: bool) -> None:
    request = SimpleNamespace(transport=SimpleNamespace(get_extra_info=lambda _: own))
    assert is_own_address(cast("web.Request", request), "10.1.2.3") is is_own
