"""The task that syncs a marketplace: page by page, from where its run stands, without holding a slot while it waits."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy.exc import SQLAlchemyError

from arqlight.errors import ArqlightError, NotYet, PermanentFailure
from arqlight.families.database import Database
from arqlight.families.sync.asking import UnexpectedAnswer
from arqlight.families.sync.marketplace import Marketplace, find_marketplace
from arqlight.families.sync.runs import Run, TakenOver, begin, pause, write_page
from arqlight.families.sync.settings import SyncSettings
from arqlight.runtime.rate_limits import take_turn
from arqlight.settings import Settings
from arqlight.tasks import Backoff, is_last_try, task

TRIES = 8
TIMEOUT_S = 3600
BACKOFF = Backoff(first_s=10, longest_s=1800)
# After that long others get the slot; the run goes on behind them. Far below the timeout, which so never comes.
LONGEST_TURN_S = 300.0
AFTER_TROUBLE_S = 30.0


@dataclass(frozen=True, slots=True)
class Pause:
    """How a run stands after something came between: its state, in how many seconds it goes on, and what is raised."""

    state: Literal["waiting", "failed"]
    reason: str
    resume_s: float
    keep_place: bool
    problem: BaseException


@task(queue="sync", tries=TRIES, timeout_s=TIMEOUT_S, backoff=BACKOFF)
async def sync_sales(ctx: dict[str, Any], marketplace: str, full: bool = False) -> dict[str, Any]:
    """Bring the sales of a marketplace up to date: what is new and what changed lately, or with `full` every sale.

    Returns the report: `{"run", "pages", "seen", "new", "changed", "vanished", "refused"}`. A missing or refused token
    fails at once. For a limit the job waits outside of a worker, and no attempt is counted for that; the run goes on at
    its page. Trouble counts as an attempt only where no page came in between.
    """
    place = find_marketplace(marketplace)
    database: Database = ctx["database"]
    settings: Settings = ctx["settings"]
    look_back = timedelta(days=settings.of(SyncSettings).sync_look_back_days)
    found = await begin(database, marketplace, "full" if full else "incremental", ctx["job_id"], look_back)
    if isinstance(found, int):
        return {"run": found, "under_way": True}
    run, first = found, found.report["pages"]
    until_s = time.monotonic() + turn_s(ctx)
    try:
        while run.place is not None:
            run = await _read_page(ctx, place, run)
            if run.place is not None and time.monotonic() > until_s:
                raise NotYet(0, "others have their turn; it goes on behind them")
    except TakenOver as taken:
        return {**run.report, "taken_over": str(taken)}
    except (Exception, asyncio.CancelledError) as problem:
        step = pause_after(problem, progressed=run.report["pages"] > first, is_last_try=is_last_try(ctx, TRIES))
        await asyncio.shield(_pause(ctx, run, step))
        if step.problem is problem:
            raise
        raise step.problem from problem
    return run.report


async def _read_page(ctx: dict[str, Any], marketplace: Marketplace, run: Run) -> Run:
    assert run.place is not None  # noqa: S101 - the caller looks
    await take_turn(ctx["redis"], ctx["settings"], f"sync {marketplace.name}", marketplace.pages_a_minute)
    reader = marketplace.reader(ctx["marketplaces"], ctx["settings"])
    page = await reader.read(run.place.next_key, run.since)
    run = await write_page(ctx["database"], marketplace, run, page)
    seen = run.report["seen"]
    ctx["progress"](seen, max(page.total or 0, seen + (run.place is not None)), "sales")
    return run


def turn_s(ctx: dict[str, Any]) -> float:
    """How long an attempt reads before it lets others have the slot."""
    override = ctx.get("override")
    timeout_s = (override and override.timeout_s) or TIMEOUT_S
    return float(min(LONGEST_TURN_S, timeout_s / 2))


def pause_after(problem: BaseException, *, progressed: bool, is_last_try: bool) -> Pause:
    """What a run does after a problem.

    :param progressed: whether a page was written in this attempt.
    """
    why = f"{type(problem).__name__}: {getattr(problem, 'why', '') or problem}"
    if isinstance(problem, NotYet):
        return Pause("waiting", problem.why, (problem.defer_score or 0) / 1000, True, problem)
    if isinstance(problem, PermanentFailure):  # after an answer that nobody expects, its keys are not trusted either
        return Pause("failed", why, 0, not isinstance(problem, UnexpectedAnswer), problem)
    if isinstance(problem, asyncio.CancelledError):
        return Pause("waiting", "its attempt was cut off; it goes on at its page", 0, True, problem)
    if progressed:
        return Pause("waiting", why, AFTER_TROUBLE_S, True, NotYet(AFTER_TROUBLE_S, why))
    if is_last_try:
        return Pause("failed", why, 0, True, problem)
    return Pause("waiting", why, BACKOFF.longest_s, True, problem)


async def _pause(ctx: dict[str, Any], run: Run, step: Pause) -> None:
    try:
        await pause(ctx["database"], run, step.state, step.reason, step.resume_s, keep_place=step.keep_place)
    except (SQLAlchemyError, ArqlightError, OSError) as error:  # what came between counts, and is raised
        ctx["log"]("the state of sync run %d could not be written: %s", run.id, error)
