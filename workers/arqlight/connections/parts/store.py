"""What the service itself keeps: who may come in, and its own work."""

from typing import Protocol

from arqlight.connections.parts.expiring_texts import ExpiringTexts
from arqlight.connections.parts.recent_names import RecentNames
from arqlight.connections.parts.records import Records
from arqlight.connections.parts.window_counters import WindowCounters


class Store(Protocol):
    """One place for each kind of thing. All replicas of the service share it; the texts are the service's own."""

    @property
    def users(self) -> Records:
        """Users by name."""
        ...

    @property
    def tokens(self) -> Records:
        """API tokens by id."""
        ...

    @property
    def sessions(self) -> ExpiringTexts:
        """Sessions by the hash of their cookie."""
        ...

    @property
    def answers(self) -> ExpiringTexts:
        """What was answered under an Idempotency-Key."""
        ...

    @property
    def sign_ins(self) -> ExpiringTexts:
        """Sign-ins that are under way at an OpenID Connect provider, by their state."""
        ...

    @property
    def used_codes(self) -> ExpiringTexts:
        """Codes of second factors that cannot be used again, by user and code."""
        ...

    @property
    def sign_in_attempts(self) -> WindowCounters:
        """How often somebody tried to sign in."""
        ...

    @property
    def operations(self) -> ExpiringTexts:
        """Work on many jobs at once, by id."""
        ...

    @property
    def newest_operations(self) -> RecentNames:
        """Their ids."""
        ...

    @property
    def operation_leases(self) -> ExpiringTexts:
        """Which replica does an operation, by the operation's id."""
        ...

    @property
    def alert_quiet_periods(self) -> ExpiringTexts:
        """Alerts that were told, by rule and place, until they may be told again."""
        ...
