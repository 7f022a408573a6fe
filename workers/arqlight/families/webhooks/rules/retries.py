"""When a delivery is tried again."""

# Seconds after each try that failed: the schedule of Svix. Eight tries in 28 hours.
WAITS_S = (5, 300, 1800, 7200, 18_000, 36_000, 36_000)
# For as long as this after a delivery began, a Retry-After moves a try; after that each failure spends one.
MOVES_FOR_S = 3 * 24 * 3600.0
SHORTEST_MOVE_S = 5.0
LONGEST_MOVE_S = 24 * 3600.0


def moved_s(retry_after_s: float | None, age_s: float) -> float | None:
    """Seconds by which a Retry-After moves a try of a delivery that began `age_s` ago; None where a try is spent.

    A receiver that says "soon" for hours is asked ever more rarely: a tenth of the age is the shortest wait.
    """
    if retry_after_s is None:
        return None
    wait_s = min(max(retry_after_s, SHORTEST_MOVE_S, age_s / 10), LONGEST_MOVE_S)
    return wait_s if age_s + wait_s <= MOVES_FOR_S else None
