"""Measurements, as commands: `make bench`, `make bench QUICK=1`. Nothing here is a test, and no test is timed."""
