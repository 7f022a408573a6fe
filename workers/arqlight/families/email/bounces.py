"""Bounces: reports that a mail could not be delivered (RFC 3464), read out of the mail that a server sends."""

import re
from email import message_from_string, policy
from itertools import islice
from typing import NamedTuple

from arqlight.errors import InvalidInput
from arqlight.families.email.suppressions import is_about_address, read_listed

MOST_PARTS = 50


class Bounce(NamedTuple):
    """One recipient of a report: its address, the status (`5.1.1`), and what the server said."""

    address: str
    status: str
    said: str

    @property
    def is_about_address(self) -> bool:
        """Whether the address takes no mail at all."""
        return is_about_address(0, self.status)


def read_bounces(mail: str) -> list[Bounce]:
    """Whom a report says were not reached, permanently. Raises InvalidInput for a mail that is no report."""
    parts = islice(message_from_string(mail, policy=policy.default).walk(), MOST_PARTS)
    reports = [part for part in parts if part.get_content_type() == "message/delivery-status"]
    if not reports:
        raise InvalidInput("message", "it is no delivery report (RFC 3464): it has no part message/delivery-status")
    blocks = [block for report in reports for block in report.get_payload() if not isinstance(block, str)]
    found = []
    for block in blocks:
        action = str(block.get("Action", "")).strip().lower()
        status = re.match(r"\s*(5\.\d{1,3}\.\d{1,3})", str(block.get("Status", "")))
        kind, _, address = str(block.get("Final-Recipient", "")).partition(";")
        if action == "failed" and status and kind.strip().lower() in ("rfc822", "utf-8") and address.strip():
            said = " ".join(str(block.get("Diagnostic-Code", "")).split())
            found.append(Bounce(read_listed(address.strip()), status[1], said))
    return found
