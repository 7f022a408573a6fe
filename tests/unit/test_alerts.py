"""Alerts: sent once by mail and webhook, by a job where a worker runs it, by the service where none does."""

import pytest

from arqlight.errors import SettingsError
from arqlight.settings import load_settings


@pytest.mark.parametrize("rules", ["depth", "depth>x", "width>3", "depth>-1", "depth>nan", "failure_rate>inf"])
def test_a_rule_that_is_none_stops_the_start(rules: str) -> None:
    with pytest.raises(SettingsError, match="is no rule; one is measure>number"):
        load_settings(alerts=rules)
