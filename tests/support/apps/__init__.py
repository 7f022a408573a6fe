"""Applications that the tests run."""
