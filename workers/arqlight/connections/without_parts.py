"""What a driver answers for the parts it does not have."""

from arqlight.connections.parts import Part
from arqlight.connections.parts.audit import Audit
from arqlight.connections.parts.counters import Counters
from arqlight.connections.parts.log import Log
from arqlight.connections.parts.maintenance import Maintenance
from arqlight.connections.parts.override_settings import OverrideSettings
from arqlight.connections.parts.schedules import Schedules
from arqlight.connections.parts.store import Store
from arqlight.errors import NotSupported


class WithoutParts:
    """A connection with jobs and nothing else. A driver that has a part overrides its property, and names it in
    `parts`. Every other property raises NotSupported.
    """

    name: str
    shown_driver: str
    parts: frozenset[Part] = frozenset()

    def supports(self, part: Part) -> bool:
        """Whether this driver has a part."""
        return part in self.parts

    @property
    def log(self) -> Log:
        """Not supported."""
        raise self._missing("log")

    @property
    def schedules(self) -> Schedules:
        """Not supported."""
        raise self._missing("schedules")

    @property
    def overrides(self) -> OverrideSettings:
        """Not supported."""
        raise self._missing("overrides")

    @property
    def counters(self) -> Counters:
        """Not supported."""
        raise self._missing("counters")

    @property
    def audit(self) -> Audit:
        """Not supported."""
        raise self._missing("audit")

    @property
    def maintenance(self) -> Maintenance:
        """Not supported."""
        raise self._missing("maintenance")

    @property
    def store(self) -> Store:
        """Not supported."""
        raise self._missing("store")

    def _missing(self, part: Part) -> NotSupported:
        return NotSupported(self.name, self.shown_driver, part)
