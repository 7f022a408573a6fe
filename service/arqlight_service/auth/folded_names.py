"""Names of people as they are compared: after Unicode's NFKC and case folding, so that one name is one person."""

import unicodedata


def folded(name: str) -> str:
    """The name as it is compared (Unicode 3.13, toNFKC_Casefold without the ignorable characters)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def is_stable(name: str) -> bool:
    """Whether NFKC leaves it as it is; one that it changes looks like another's, as full-width letters do."""
    return unicodedata.normalize("NFKC", name) == name
