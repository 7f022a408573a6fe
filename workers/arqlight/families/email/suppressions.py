"""The suppression list: addresses that get no mail, because a server refused them permanently or a person left."""

import csv
import io
import re
from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from arqlight.errors import CursorInvalid, InvalidInput, NotFound
from arqlight.families.database import Database
from arqlight.families.email.message import InvalidEmail, parse_address
from arqlight.families.email.tables import email_suppressions as listed
from arqlight.jobs.display import as_json
from arqlight.jobs.storable_text import check_text

Reason = Literal["refused", "bounced", "complained", "unsubscribed", "manual"]
REASONS: tuple[Reason, ...] = get_args(Reason)
# What a person did not want any more is still sent when it is transactional: a sign-in code, a receipt.
BY_CHOICE: tuple[Reason, ...] = ("complained", "unsubscribed")
LONGEST_DETAIL = 500
MOST_LINES = 10_000
HEADS = ("email", "e-mail", "address", "recipient")  # of the column that is read
ROWS_A_STATEMENT = 1_000
# RFC 5321 (4.2.3) for a mailbox; RFC 3463 (3.2, 3.3) and RFC 7505 for the address itself. Any other 5xx is about this
# message, this sender or a full mailbox.
_CODES = (550, 551, 553)
_ADDRESS_STATUS = re.compile(r"5\.1\.(?:1|2|3|6|10)|5\.2\.1")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")


class Suppression(NamedTuple):
    """An address on the list, and why."""

    address: str
    reason: Reason
    detail: str
    added_by: str
    at: datetime

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {**self._asdict(), "detail": as_json(self.detail), "at": self.at.isoformat(timespec="milliseconds")}


def listed_as(address: Address) -> str:
    """How an address stands on the list: in lower case, which every server in practice takes for the same."""
    return address.addr_spec.lower()


def read_listed(text: object) -> str:
    """`listed_as` of what a person or a file gives. Raises InvalidInput."""
    try:
        return listed_as(parse_address(text, "address"))
    except InvalidEmail as error:
        raise InvalidInput("address", str(error)) from error


def is_about_address(code: int, said: str) -> bool:
    """Whether a permanent refusal means that the address takes no mail at all, and not only this one.

    :param said: the server's text; an enhanced status code (RFC 3463) in it counts more than `code`.
    """
    status = _STATUS.search(said)
    return bool(_ADDRESS_STATUS.fullmatch(status[1])) if status else code in _CODES


async def find(database: Database, address: str) -> Suppression | None:
    """Why an address gets no mail; None where it does, and where there is no database to keep a list in."""
    if not database.is_set:
        return None
    async with database.begin() as connection:
        row = (await connection.execute(select(listed).where(listed.c.address == address))).first()
    return None if row is None else Suppression(*row)


async def add(database: Database, addresses: Sequence[str], reason: Reason, *, detail: str = "", who: str) -> int:
    """Put addresses (as `read_listed` writes them) on the list; how many were not yet. Raises InvalidInput."""
    if reason not in REASONS:
        raise InvalidInput("reason", f"no reason {str(reason)[:50]!r}; there are {', '.join(REASONS)}")
    told = " ".join(detail.split()).encode("utf-8", "replace").decode().replace("\0", "")[:LONGEST_DETAIL]
    rows = [{"address": each, "reason": reason, "detail": told, "added_by": who} for each in dict.fromkeys(addresses)]
    new = 0
    async with database.begin() as connection:
        for at in range(0, len(rows), ROWS_A_STATEMENT):
            some = rows[at : at + ROWS_A_STATEMENT]
            there = select(func.count()).where(listed.c.address.in_([row["address"] for row in some]))
            new += len(some) - (await connection.execute(there)).scalar_one()
            put = insert(listed).values(some)
            # A choice gives way to what keeps every mail back, and nothing else changes: the first reason stays told.
            replaced = put.on_conflict_do_update(
                index_elements=[listed.c.address],
                set_={name: put.excluded[name] for name in ("reason", "detail", "added_by")} | {"at": func.now()},
                where=listed.c.reason.in_(BY_CHOICE) & put.excluded.reason.not_in(BY_CHOICE),
            )
            await connection.execute(replaced)
    return new


async def remove(database: Database, address: str) -> None:
    """Take an address off the list. Raises NotFound."""
    async with database.begin() as connection:
        gone = await connection.execute(listed.delete().where(listed.c.address == address))
    if not gone.rowcount:
        raise NotFound(f"{address[:320]!r} is not on the suppression list")


async def page(
    database: Database, limit: int = 50, cursor: str | None = None, search: str = ""
) -> tuple[list[Suppression], str | None]:
    """A page of the list by address, and the next cursor. Raises CursorInvalid."""
    query = select(listed).order_by(listed.c.address).limit(limit + 1)
    if cursor is not None:
        try:
            check_text("cursor", cursor, 320)
        except InvalidInput:
            raise CursorInvalid(cursor) from None
        query = query.where(listed.c.address > cursor)
    if search:
        query = query.where(listed.c.address.contains(search.lower(), autoescape=True))
    async with database.begin() as connection:
        rows = [Suppression(*row) for row in await connection.execute(query)]
    return rows[:limit], rows[limit - 1].address if len(rows) > limit else None


class ReadAddresses(NamedTuple):
    """What a CSV file holds: addresses, and which lines hold none (`{"line", "reason"}`)."""

    addresses: list[str]
    refused: list[dict[str, Any]]


def read_csv(text: str) -> ReadAddresses:
    """The addresses of a CSV file (RFC 4180): of the column that HEADS names, else of its first.

    A byte order mark and any mixture of line ends are read; a cell that begins like a formula is no address. Raises
    InvalidInput for a file that is too long, empty or no CSV.
    """
    lines = re.split(r"\r\n|\r|\n", text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}"))
    if len(lines) > MOST_LINES + 2:
        raise InvalidInput("csv", f"it has {len(lines):,} lines; send at most {MOST_LINES:,} at once")
    delimiter = ";" if ";" in lines[0] and "," not in lines[0] else ","
    found: list[str] = []
    refused: list[dict[str, Any]] = []
    column = 0
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=delimiter)
    try:
        for number, cells in enumerate(reader):
            if number == 0:
                heads = [cell.strip().lower() for cell in cells]
                if named := [heads.index(each) for each in HEADS if each in heads]:
                    column = named[0]
                    continue
            cell = cells[column].strip() if column < len(cells) else ""
            if not any(each.strip() for each in cells):
                continue
            try:
                if cell[:1] in tuple("=+-@|"):
                    raise InvalidInput("csv", f"{cell[:50]!r} begins like a formula of a spreadsheet")
                found.append(read_listed(cell))
            except InvalidInput as error:
                refused.append({"line": reader.line_num, "reason": str(error)})
    except csv.Error as error:
        raise InvalidInput("csv", f"line {reader.line_num} is no CSV: {error}") from None
    if not (found or refused):
        raise InvalidInput("csv", "it holds no address")
    return ReadAddresses(found, refused)
