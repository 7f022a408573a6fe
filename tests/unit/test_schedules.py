"""Periodic jobs: due once however many workers look, edited by people, refused when they never fire."""

import pytest

from arqlight.errors import InvalidInput
from arqlight.jobs.periodic_job import PeriodicJob, check_cron
from arqlight.runtime.schedules import AHEAD_MS


def test_jitter_is_the_same_for_all_and_another_each_time() -> None:
    jittery = PeriodicJob("a", "* * * * *", "ok", "q", {}, jitter_s=600)
    moments = jittery.due(0)
    first = [at_ms - due_ms for due_ms, at_ms in (next(moments) for _ in range(20))]
    again = jittery.due(0)
    assert first == [at_ms - due_ms for due_ms, at_ms in (next(again) for _ in range(20))]
    assert len(set(first)) > 15
    assert all(0 <= jitter < 600_000 for jitter in first)
    assert AHEAD_MS > 5_000


@pytest.mark.parametrize(
    ("expression", "reason"),
    [("0 0 30 2 *", "never fires"), ("0 0 31 4,6 *", "never fires"), ("* * * *", "has not five fields"), ("61 * * * *", "no cron expression"),
     ("", "has not five fields"), ("@daily", "has not five fields"), ("a b c d e", "no cron expression"),
     ("* " * 300, "has not five fields"), ("* * * * * *", "has not five fields")],
)  # fmt: skip
def test_a_cron_that_is_none_or_never_fires_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        check_cron(expression)
