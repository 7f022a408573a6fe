"""Webhooks to third parties, as Standard Webhooks 1.0 says (https://www.standardwebhooks.com)."""
