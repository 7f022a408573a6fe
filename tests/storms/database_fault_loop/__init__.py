"""The fault loop of PostgreSQL: one scenario again and again, with one fault at each statement that a worker sends."""
