"""Where arguments send what they hold: whatever way a new address is written, it is seen as one."""

import json
from typing import Any

import pytest

from arqlight.jobs.destinations import new_destination

HOOK = "https://good.example/hook"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ({"url": HOOK}, {"url": "https://evil.example/"}),
        ({"url": HOOK}, {"url": "//evil.example/"}),
        ({"url": HOOK}, {"url": "https:/evil.example/"}),
        ({"url": HOOK}, {"url": "https:\\\\evil.example/"}),
        ({"url": HOOK}, {"url": "evil"}),
        ({"url": HOOK}, {"url": 2130706433}),
        ({"text": HOOK}, {"text": "relay:9000"}),
        ({"text": "see there"}, {"text": HOOK}),
        ({"text": HOOK}, {"text": "see there"}),
        ({"host": "good"}, {"host": "evil"}),
        ({"smtpHost": "good"}, {"smtpHost": "evil"}),
        ({"port": 25}, {"port": 2525}),
        ({"chat_id": 1}, {"chat_id": 2}),
        ({"to": ["ada"]}, {"to": ["ada", "eve"]}),
        ({"to": ["ada@good.example"]}, {"to": ["ada@good.example", "eve@evil.example"]}),
        ({"to": [["ada"]]}, {"to": [["eve"]]}),
        ({"a": HOOK, "b": "https://other.example/"}, {"a": "https://other.example/", "b": HOOK}),
        ({"sent": {HOOK: 1}}, {"sent": {"https://evil.example/": 1}}),
        ({"body": json.dumps({"url": HOOK})}, {"body": json.dumps({"url": "evil"})}),
        ({"body": json.dumps({"url": HOOK})}, {"body": '{"url": "https:\\/\\/evil.example"}'}),
        ({"body": json.dumps({"deep": json.dumps([HOOK])})}, {"body": json.dumps({"deep": json.dumps(["//evil"])})}),
        ({"body": "{}"}, {"body": "see https:\\/\\/evil.example"}),
        ({}, {"callbackUrl": "evil"}),
    ],
)
def test_a_new_destination_is_found(was: dict[str, Any], becomes: dict[str, Any]) -> None:
    assert new_destination(becomes, was) is not None
    assert new_destination([becomes], [was]) is not None


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ({"url": HOOK, "n": 1}, {"url": HOOK, "n": 2}),
        ({"url": HOOK, "note": "a"}, {"url": HOOK, "note": "b, at 1.5 of it"}),
        ({"url": HOOK}, {"url": None}),
        ({"body": json.dumps({"url": HOOK, "n": 1})}, {"body": json.dumps({"n": 2, "url": HOOK})}),
        ({"to": ["ada@good.example", "bob@good.example"]}, {"to": ["ada@good.example"]}),
        ({"body": "{not JSON"}, {"body": "{not JSON either"}),
        ({}, {}),
    ],
)
def test_what_is_no_destination_or_stood_there_is_not(was: dict[str, Any], becomes: dict[str, Any]) -> None:
    assert new_destination(becomes, was) is None
