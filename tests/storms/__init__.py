"""Faults under full load: `make storm`. Longer than a test may take, so the test suite does not collect them."""
