"""Settings that nothing reads: a typing error, or those of a family that is not installed. Said, and no more."""

import difflib
import logging
import re
from dataclasses import fields

from arqlight.extras import MissingExtra, is_there
from arqlight.family import OURS, declared
from arqlight.settings import OWN_NAMES, PREFIX, Settings

logger = logging.getLogger("arqlight.settings")
_OF_THE_DEMO = "demo_port"
# What Kubernetes sets for a Service that is named arqlight.
_OF_KUBERNETES = re.compile(r"(service_(host|port)|port_\d+_).*")


def warn_of_unused_settings(settings: Settings) -> None:
    """One line in the log for all of them; none where there are none. Imports no family's tasks."""
    if not settings.for_families:
        return
    families = {
        each.name: family for family in declared() if family.settings is not None for each in fields(family.settings)
    }
    told, can_run_ours = [], is_there("families", "postgres")
    for name in settings.for_families:
        variable = PREFIX + name.upper()
        if name in families and families[name].name in OURS and not can_run_ours:
            needs = MissingExtra(f"the family {families[name].name!r}", "families")
            told.append(f"nothing uses {variable}: {needs}")
        elif name not in families and name != _OF_THE_DEMO and not _OF_KUBERNETES.fullmatch(name):
            near = difflib.get_close_matches(name, [*OWN_NAMES, *families], 1)
            told.append(f"{variable} is no setting" + (f"; did you mean {PREFIX}{near[0].upper()}?" if near else ""))
    if told:
        logger.warning("%s", "; ".join(told))
