"""Sync: sales of marketplaces, periodically, into one table."""
