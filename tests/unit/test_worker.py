"""The worker runs arq tasks as arq does, and writes down what happened."""

from arqlight.tasks import Backoff


def test_backoff_grows_and_stays_within_its_bounds() -> None:
    backoff = Backoff(first_s=2, factor=2, longest_s=60)
    for attempt, ceiling in ((1, 2), (2, 4), (5, 32), (6, 60), (5000, 60)):
        for _ in range(50):
            assert ceiling / 2 <= backoff.delay_s(attempt) <= ceiling
