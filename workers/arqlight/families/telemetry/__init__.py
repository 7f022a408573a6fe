"""Telemetry: what SDKs tell of the devices they run on and how they are used."""
