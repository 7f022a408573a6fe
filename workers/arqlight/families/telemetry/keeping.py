"""How long usage and devices of each product are kept."""

from arqlight.setting_values import split_names

OTHERS = "*"
LONGEST_D = 36_500


def parse_days(text: str) -> dict[str, int]:
    """Days by product, `*` for all others; 0 and no `*`: for ever. Raises ValueError."""
    days: dict[str, int] = {}
    for each in split_names(text):
        product, _, number = each.rpartition("=")
        product, number = product.strip(), number.strip()
        if not product or not (number.isascii() and number.isdigit() and len(number) <= 5):
            raise ValueError(f"{each[:50]!r} is no product and number of days; write quill=90")
        if int(number) > LONGEST_D:
            raise ValueError(f"{each[:50]!r} is more than {LONGEST_D:,} days; 0 keeps for ever")
        if product in days:
            raise ValueError(f"{product[:50]!r} stands twice")
        days[product] = int(number)
    return days
