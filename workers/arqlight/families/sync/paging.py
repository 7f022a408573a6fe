"""Where a run stands in a marketplace's list, and what it reads next. Decisions only, no I/O."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from arqlight.families.sync.asking import UnexpectedAnswer
from arqlight.families.sync.sale import Page

MOST_PAGES = 2_000_000
MOST_SAME = 5  # times in a row that a page may be the one before: so many sales may have come in meanwhile, once
MOST_EMPTY = 2  # empty pages in a row that are the end of a list without another one
LONGEST_KEY = 2_000


class PagesInALoop(UnexpectedAnswer):
    """The pages of a marketplace lead back to one that was read, and never to an end."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is read next, kept with the sales of each page.

    :param key: the page to read next; None is the first one.
    :param last_key, last_ids, last_total: the page before it, for telling whether the list moved meanwhile.
    :param second_look: whether the page of `second_key` is to be read once more before that.
    :param ended: whether there is no page behind; only the second look is left.
    :param pages: how many were read.
    :param empty: how many of the last ones had no entry.
    :param same: how many of the last ones were the same as the one before.
    :param mark: a key that was met at page number 1, 2, 4, 8, …: meeting it again is a loop (Brent's algorithm).
    """

    key: str | None = None
    last_key: str | None = None
    last_ids: tuple[str, ...] = ()
    last_total: int | None = None
    second_look: bool = False
    second_key: str | None = None
    ended: bool = False
    pages: int = 0
    empty: int = 0
    same: int = 0
    mark: str | None = None

    @property
    def next_key(self) -> str | None:
        """The key of the page that is read next."""
        return self.second_key if self.second_look else self.key

    def to_json(self) -> dict[str, Any]:
        """As the table keeps it."""
        return {**asdict(self), "last_ids": list(self.last_ids)}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "Place":
        """As `to_json` wrote it."""
        return cls(**{**kept, "last_ids": tuple(kept["last_ids"])})


def following_place(
    place: Place, page: Page, since: datetime | None, *, shifts: bool = False, ends_empty: bool = False
) -> Place | None:
    """Where a run stands after `page` was read at `place`; None when the list is read.

    :param since: sales before that need not be read.
    :param shifts, ends_empty: as of `Marketplace`.

    Raises PagesInALoop.
    """
    if place.second_look:  # what stood there is written now; on behind the page that came after it
        return None if place.ended else replace(place, second_look=False, second_key=None)
    pages = place.pages + 1
    ids = tuple(sale.id for sale in page.sales)
    empty = 0 if page.entries else place.empty + 1
    same = place.same + 1 if ids and ids == place.last_ids else 0
    ended = _is_last(page, since, empty, ends_empty)
    looks_twice = shifts and may_have_moved(place, page)
    if ended and not looks_twice:
        return None
    return Place(
        key=page.following,
        last_key=place.key,
        last_ids=ids,
        last_total=page.total,
        second_look=looks_twice,
        second_key=place.last_key if looks_twice else None,
        ended=ended,
        pages=pages,
        empty=empty,
        same=same,
        mark=place.mark if ended else _check_loop(place, page.following, pages, same),
    )


def may_have_moved(before: Place, page: Page) -> bool:
    """Whether entries between the page before and this one may have been missed.

    They were not when both pages have an entry in common (something came in at the head), or when the list is as long
    as it was. Else something may have gone: then what stood first here stands last on the page before.
    """
    if not before.last_ids or set(before.last_ids) & {sale.id for sale in page.sales}:
        return False
    return before.last_total is None or before.last_total != page.total


def _is_last(page: Page, since: datetime | None, empty: int, ends_empty: bool) -> bool:
    if page.following is None or (ends_empty and empty >= MOST_EMPTY):
        return True
    return since is not None and bool(page.sales) and all(sale.sold_at < since for sale in page.sales)


def _check_loop(place: Place, following: str | None, pages: int, same: int) -> str | None:
    """The mark from here on. Raises PagesInALoop, UnexpectedAnswer."""
    if following is not None and len(following) > LONGEST_KEY:
        raise UnexpectedAnswer(f"the key of the next page has {len(following):,} characters, more than any page's")
    if following in (place.key, place.mark):
        raise PagesInALoop(f"page {pages:,} names the page {following!r} as the next one, which was read already")
    if same >= MOST_SAME:
        raise PagesInALoop(f"page {pages:,} is the same as the {same} pages before: the marketplace does not go on")
    if pages >= MOST_PAGES:
        raise PagesInALoop(f"the list has more than {MOST_PAGES:,} pages")
    return following if pages & (pages - 1) == 0 else place.mark
