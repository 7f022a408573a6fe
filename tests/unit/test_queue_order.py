"""Priority, weights and limits between queues."""

from typing import Any

import pytest

from arqlight.errors import SettingsError
from arqlight.jobs.queues import queue_key
from arqlight.worker.queue_order import QueueOrder, parse_limits, parse_queue_order

HIGH, LOW = queue_key("high"), queue_key("low")


def test_lanes_without_weights_are_strict() -> None:
    assert parse_queue_order(["high", "default"]).turns(7) == (("arq:queue:high", "arq:queue"), [7, 7])


@pytest.mark.parametrize(
    ("queues", "words"),
    [
        (["high=3", "low"], "'low' has no weight"),
        (["high=0"], "'high': its weight is '0'"),
        (["high=1.5"], "its weight is '1.5'"),
        (["high=-1"], "its weight is '-1'"),
        (["high=\u0661"], "its weight is"),
        (["high", "high"], "named twice"),
        ({"high": 2000}, "its weight is '2000'"),
    ],
)
def test_wrong_queues_are_refused_with_the_reason(queues: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        parse_queue_order(queues)


@pytest.mark.parametrize("limits", [["emails"], ["emails=0"], ["emails=x"], {"emails": -1}])
def test_wrong_limits_are_refused_with_the_reason(limits: Any) -> None:
    with pytest.raises(SettingsError, match="'emails': its limit is"):
        parse_limits(limits)


def test_lanes_may_be_a_mapping_of_weights() -> None:
    assert parse_queue_order({"high": 3, "low": 1}) == QueueOrder((HIGH, LOW), (3, 1))
