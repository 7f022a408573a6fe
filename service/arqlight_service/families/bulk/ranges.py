"""Parts of a file, as RFC 9110 (14) has them: a download that broke off goes on where it was."""

import re

from arqlight_service.api.problems import Problem

_RANGE = re.compile(r"bytes=[ \t]*(\d{0,19})-(\d{0,19})[ \t]*", re.ASCII | re.IGNORECASE)


def wanted_part(header: str | None, if_range: str | None, etag: str, size: int) -> range | None:
    """Which bytes of a file of `size` a request is for; None for all of it.

    :param if_range: the part is wanted only while the file is still this one (13.1.5); a date never says so, for
        files here have none.

    What is no single range of bytes is ignored, as 14.2 allows. Raises Problem 416 for one outside of the file.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or match.group(1, 2) == ("", "") or (if_range is not None and if_range.strip() != etag):
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    start, end = (int(first), int(last) + 1 if last else size) if first else (max(size - int(last), 0), size)
    if start >= size or (not first and int(last) == 0):
        said = f"the file has {size:,} bytes, and {header!r} is outside of it"
        raise Problem(416, said, headers={"Content-Range": f"bytes */{size}"})
    return range(start, min(end, size))
