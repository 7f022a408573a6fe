"""Which mails were sent, by the sender's idempotency key: what is asked for twice goes out once."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from arqlight.errors import NotYet
from arqlight.families.database import Database
from arqlight.families.email.tables import email_sends as sends

LOOK_AGAIN_S = 5.0
# Longer than an attempt takes, which alone holds the key: whoever reserved it died.
GIVEN_UP_AFTER = timedelta(minutes=15)


async def reserve(database: Database, key: str, job_id: str) -> str | None:
    """Reserve `key` for a job; None when the job may send, else the Message-ID that went out under the key.

    Raises NotYet while another job is sending under the key, DatabaseMissing.
    """
    async with database.begin() as connection:
        await connection.execute(
            insert(sends)
            .values(key=key, job_id=job_id)
            .on_conflict_do_update(
                index_elements=[sends.c.key],
                set_={"job_id": job_id, "at": func.now()},
                where=sends.c.message_id.is_(None) & (sends.c.at < func.now() - GIVEN_UP_AFTER),
            )
        )
        row = (await connection.execute(select(sends).where(sends.c.key == key))).one()
    if row.message_id is not None:
        return str(row.message_id)
    if row.job_id != job_id:
        raise NotYet(LOOK_AGAIN_S, f"job {row.job_id} is sending under this idempotency key")
    return None


async def mark_sent(database: Database, key: str, message_id: str) -> None:
    """The mail under `key` went out."""
    async with database.begin() as connection:
        await connection.execute(sends.update().where(sends.c.key == key).values(message_id=message_id))


async def release(database: Database, key: str, job_id: str) -> None:
    """The attempt of `job_id` did not send the mail under `key`: whoever asks next may."""
    mine = (sends.c.key == key, sends.c.job_id == job_id, sends.c.message_id.is_(None))
    async with database.begin() as connection:
        await connection.execute(sends.delete().where(*mine))
