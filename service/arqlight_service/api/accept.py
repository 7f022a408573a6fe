"""What a client accepts, by the weights it gives (RFC 9110, 12.4.2): what has `q=0` is not wanted."""

from aiohttp import web


def accepts(request: web.Request, header: str, wanted: str, *, by_name: bool = False) -> bool:
    """Whether `header` (Accept, Accept-Encoding) names `wanted`, or a range with it, at a weight above 0.

    The most specific entry counts; `by_name`, no range does. One that is not named is not accepted: nobody gets what
    was not asked for.
    """
    weights = dict(_weight(part) for part in ",".join(request.headers.getall(header, [])).split(",") if part.strip())
    ranges = [wanted, f"{wanted.partition('/')[0]}/*", "*/*"] if "/" in wanted else [wanted, "*"]
    ranges = ranges[:1] if by_name else ranges
    return next((weights[each] for each in ranges if each in weights), 0.0) > 0


def wants_page(request: web.Request) -> bool:
    """Whether a person's browser asks, which names HTML; a programme that takes anything gets JSON."""
    return any(
        name == "text/html" and weight > 0
        for name, weight in map(_weight, ",".join(request.headers.getall("Accept", [])).split(","))
    )


def _weight(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    given = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    try:
        return name, min(max(float(given), 0.0), 1.0)
    except ValueError:
        return name, 0.0
