"""The fault loop: one scenario again and again, with one fault at each command that a worker sends."""
