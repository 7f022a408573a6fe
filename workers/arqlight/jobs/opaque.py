"""What a reader of foreign bytes has in place of an object that it does not build."""


class Opaque:
    """Stands for an object, or for its class: its name, and what the class would have been called with."""

    def __init__(self, name: str, made_of: tuple[object, ...] = ()) -> None:
        self.name = name
        self.made_of = made_of  # an exception's own text

    def __repr__(self) -> str:
        return f"<{self.name}>"
