"""What PostgreSQL keeps of webhooks: endpoints and their secrets, events, deliveries, attempts, replays."""
