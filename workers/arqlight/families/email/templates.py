"""The templates of mails: those that come with arqlight, and over them the versions that people saved."""

import contextlib
import difflib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from arqlight.errors import DatabaseMissing, InvalidInput, NotFound
from arqlight.families.database import Database
from arqlight.families.email.languages import check_name, language_of, language_tag, names_for
from arqlight.families.email.message import InvalidEmail, parse_address
from arqlight.families.email.rendering import Renderer
from arqlight.families.email.tables import email_template_versions as versions
from arqlight.families.email.tables import email_templates as templates
from arqlight.jobs.storable_text import check_text

_FOLDER = Path(__file__).parent / "built_in"
SUBJECTS = {
    "two_factor": "{{ code }} is your sign-in code",
    "licence_key": "Your licence key for {{ product }}",
    "alert": "[{{ severity | default('warning') | upper }}] {{ title }}",
}
LONGEST = {"subject": 500, "text": 100_000, "html": 200_000}
LONGEST_ADDRESS = 500
BUILT_IN_VERSION = 0
# Arguments of `send_email` that are no variables.
RESERVED = frozenset({"to", "template", "idempotency_key", "language", "reply_to", "attachments"})


@dataclass(frozen=True, slots=True)
class EmailTemplate:
    """One version of a template. `variables` are the names its parts use; version 0 comes with arqlight.

    :param sender, reply_to: addresses, or "" for the setting's sender and for no Reply-To.
    :param transactional: whether it is sent to those who want no more mail, and carries no link to unsubscribe.
    """

    name: str
    version: int
    subject: str
    text: str
    html: str
    variables: tuple[str, ...] = ()
    sender: str = ""
    reply_to: str = ""
    transactional: bool = True
    note: str = ""
    created_by: str = "arqlight"
    created_at: datetime | None = None

    @property
    def parts(self) -> dict[str, str]:
        """What the renderer takes."""
        return {"subject": self.subject, "text": self.text, "html": self.html}

    @property
    def options(self) -> dict[str, Any]:
        """What is saved beside the parts."""
        return {"sender": self.sender, "reply_to": self.reply_to, "transactional": self.transactional}

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        at = self.created_at.isoformat(timespec="milliseconds") if self.created_at else None
        return {
            "name": self.name,
            "version": self.version,
            **self.parts,
            **self.options,
            "variables": list(self.variables),
            "language": language_of(self.name),
            "note": self.note,
            "created_by": self.created_by,
            "created_at": at,
        }


BUILT_IN = {
    name: EmailTemplate(
        name, BUILT_IN_VERSION, subject, (_FOLDER / f"{name}.txt").read_text(), (_FOLDER / f"{name}.html").read_text()
    )
    for name, subject in SUBJECTS.items()
}


async def find_template(database: Database, name: str, version: int | None = None) -> EmailTemplate:
    """The version that is sent, or the one asked for. Raises NotFound, which names those there are."""
    saved = versions.c.version == (templates.c.version if version is None else version)
    query = select(versions).join(templates).where(versions.c.name == name, saved)
    row = None
    if database.is_set:
        async with database.begin() as connection:
            row = (await connection.execute(query)).first()
    if row is not None:
        return _template(row)
    if name in BUILT_IN and version in (None, BUILT_IN_VERSION):
        return BUILT_IN[name]
    if version is not None:
        raise NotFound(f"template {name!r} has no version {version}")
    raise NotFound(f"no template {name!r}; there are {', '.join(t.name for t in await list_templates(database))}")


async def find_localised(database: Database, name: str, language: str | None) -> EmailTemplate:
    """The version that is sent, in the language or the nearest there is (RFC 4647, 3.4), at last in none.

    Raises InvalidInput for what is no language, NotFound.
    """
    for each in names_for(name, language_tag(language))[:-1] if language is not None else ():
        with contextlib.suppress(NotFound):
            return await find_template(database, each)
    return await find_template(database, name)


async def list_templates(database: Database) -> list[EmailTemplate]:
    """Each template in the version that is sent: those that come with arqlight first."""
    found = dict(BUILT_IN)
    if database.is_set:
        current = select(versions).join(templates).where(versions.c.version == templates.c.version)
        async with database.begin() as connection:
            found |= {row.name: _template(row) for row in await connection.execute(current.order_by(versions.c.name))}
    return list(found.values())


async def list_versions(database: Database, name: str) -> list[EmailTemplate]:
    """Every version of a template, the newest first."""
    found: list[EmailTemplate] = []
    if database.is_set:
        query = select(versions).where(versions.c.name == name).order_by(versions.c.version.desc())
        async with database.begin() as connection:
            found = [_template(row) for row in await connection.execute(query)]
    return found + ([BUILT_IN[name]] if name in BUILT_IN else [])


async def save_template(
    database: Database,
    renderer: Renderer,
    name: str,
    parts: dict[str, str],
    *,
    sender: str = "",
    reply_to: str = "",
    transactional: bool = True,
    note: str = "",
    who: str,
) -> EmailTemplate:
    """Save a new version, which is sent from now on. Raises InvalidInput (field and reason), DatabaseMissing."""
    if not database.is_set:
        raise DatabaseMissing
    check_name(name)
    for part, longest in LONGEST.items():
        check_text(part, parts[part], longest, lines=True)
    check_text("note", note, 500)
    if not parts["subject"].strip():
        raise InvalidInput("subject", "it is empty")
    if not parts["text"].strip():
        raise InvalidInput("text", "it is empty; mail without text is taken for spam")
    for field, address in (("sender", sender), ("reply_to", reply_to)):
        check_optional_address(field, address)
    names = await renderer.variables_of(parts)
    if taken := sorted(RESERVED & set(names)):
        raise InvalidInput(
            taken[0], f"{', '.join(sorted(RESERVED))} say how a mail is sent; name the variable otherwise"
        )
    await try_out(renderer, parts, {name: name for name in names})
    async with database.begin() as connection:
        # The row of the template is the lock: two who save at once get two versions.
        await connection.execute(insert(templates).values(name=name, version=0).on_conflict_do_nothing())
        await connection.execute(select(templates).where(templates.c.name == name).with_for_update())
        newest = select(func.coalesce(func.max(versions.c.version), BUILT_IN_VERSION)).where(versions.c.name == name)
        version = (await connection.execute(newest)).scalar_one() + 1
        await connection.execute(
            insert(versions).values(
                name=name,
                version=version,
                variables=names,
                note=note,
                created_by=who,
                **parts,
                sender=sender,
                reply_to=reply_to,
                transactional=transactional,
            )
        )
        await connection.execute(templates.update().where(templates.c.name == name).values(version=version))
    return await find_template(database, name, version)


async def try_out(renderer: Renderer, parts: dict[str, str], samples: dict[str, Any]) -> None:
    """Render once before saving: what needs another kind of value than a text is let through, a trick is not."""
    try:
        await renderer.render(parts, samples)
    except InvalidInput as refusal:
        wants_another_kind = any(kind in str(refusal) for kind in ("is undefined", "has no attribute", "TypeError"))
        if not wants_another_kind:
            raise


def check_optional_address(field: str, address: object) -> None:
    """Raises InvalidInput for what is neither an address nor empty."""
    if address != "":
        try:
            parse_address(address, field)
            check_text(field, str(address), LONGEST_ADDRESS)
        except InvalidEmail as error:
            raise InvalidInput(field, str(error)) from error


async def roll_back(database: Database, renderer: Renderer, name: str, version: int, *, who: str) -> EmailTemplate:
    """Send an older version again, as a new one: what was sent when stays told."""
    older = await find_template(database, name, version)
    note = f"Back to version {version}"
    return await save_template(database, renderer, name, older.parts, **older.options, note=note, who=who)


def difference(before: EmailTemplate, after: EmailTemplate) -> dict[str, list[str]]:
    """Of each part the lines of a unified diff; no lines where nothing changed."""
    return {
        part: list(
            difflib.unified_diff(
                before.parts[part].splitlines(), after.parts[part].splitlines(),
                f"version {before.version}", f"version {after.version}", lineterm="", n=3,
            )
        )
        for part in LONGEST
    }  # fmt: skip


def _template(row: Any) -> EmailTemplate:
    return EmailTemplate(
        row.name, row.version, row.subject, row.text, row.html, tuple(row.variables), row.sender,
        row.reply_to, row.transactional, row.note, row.created_by, row.created_at,
    )  # fmt: skip
