"""E-mail: 2FA codes, licence keys and alerts, from templates that people edit."""

from arqlight.families.email.settings import EmailSettings
from arqlight.family import Family

FAMILY = Family(
    name="email",
    tasks=("arqlight.families.email.sending:send_email", "arqlight.families.email.sending:send_two_factor_code"),
    settings=EmailSettings,
    check="arqlight.families.email.check:check",
    on_startup="arqlight.families.email.clients:open_clients",
    on_shutdown="arqlight.families.email.clients:close_clients",
)
