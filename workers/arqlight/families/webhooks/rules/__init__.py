"""What is decided of a delivery and of an endpoint: when again, when to pause, when to switch off. No I/O."""
