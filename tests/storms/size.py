"""How much of a storm: all of it, or a tenth with ARQLIGHT_SHORT=1, for continuous integration."""

import os

IS_SHORT = os.environ.get("ARQLIGHT_SHORT", "") not in ("", "0")


def scaled(number: int) -> int:
    """So many, or a tenth of it."""
    return number // 10 if IS_SHORT else number


def sample(short: int) -> int:
    """How many positions of a fault loop to try, by chance (ARQLIGHT_FAULTS); 0 for all."""
    return int(os.environ.get("ARQLIGHT_FAULTS", short if IS_SHORT else 0))
