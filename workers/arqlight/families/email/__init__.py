"""E-mail: 2FA codes, licence keys and alerts, from templates that people edit."""
