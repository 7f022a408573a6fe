"""The tests: real servers, real workers, a real browser."""
