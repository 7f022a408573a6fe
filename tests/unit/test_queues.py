"""Queues: pause, resume, empty, and what was counted of them."""

from arqlight.journal.counters import percentiles


def test_percentiles_are_right_to_a_fifth() -> None:
    import math

    for ms in (0, 1, 7, 50, 333, 12_000, 86_400_000):
        bucket = math.floor(math.log(ms + 1) * 2.8853900817779268)
        [value] = percentiles({bucket: 1}, [50])
        assert value is not None
        assert abs(value - ms) <= max(1, ms * 0.2)
    assert percentiles({}, [50, 95]) == [None, None]
    assert percentiles({0: 98, 20: 2}, [50, 99]) == [percentiles({0: 1}, [50])[0], percentiles({20: 1}, [50])[0]]
