"""Who may do what: users, API tokens, sessions, roles, and the proxy that may speak for somebody."""
