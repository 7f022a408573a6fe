"""What can be set on the page for a queue or a task, over what the code says."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Override(BaseModel):
    """What can be set for a task, or for all tasks of a queue; None leaves what the code says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_s: float | None = Field(None, gt=0, le=86_400, description="Seconds an attempt may run.")
    tries: int | None = Field(None, ge=1, le=100, description="Attempts before a job is failed.")
    backoff_first_s: float | None = Field(None, gt=0, le=86_400, description="Seconds before the second attempt.")
    backoff_longest_s: float | None = Field(None, gt=0, le=604_800, description="Longest wait between two attempts.")
    keep_result_s: float | None = Field(None, ge=0, le=2_592_000, description="Seconds a result is kept.")
    concurrency: int | None = Field(
        None, ge=1, le=100_000, description="Jobs of the queue that run at once, over all workers."
    )

    @model_validator(mode="after")
    def _in_order(self) -> "Override":
        first, longest = self.backoff_first_s, self.backoff_longest_s
        if first is not None and longest is not None and first > longest:
            raise ValueError(f"backoff_first_s={first:g} is above backoff_longest_s={longest:g}")
        return self

    def over(self, other: "Override") -> "Override":
        """This, and where it says nothing, the other."""
        return other.model_copy(update=self.model_dump(exclude_none=True))


NOTHING = Override()  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Overrides:
    """What is set now. A task's own wins over its queue's."""

    _entries: Mapping[str, Override] = field(default_factory=dict)

    def find(self, task: str, queue: str) -> Override | None:
        """What is set for a job of `task` in `queue` (its key); None, at no cost, where nothing is."""
        if not self._entries:
            return None
        own, lane = self._entries.get(f"task:{task}"), self._entries.get(f"queue:{queue}")
        return own.over(lane) if own and lane else own or lane

    def items(self) -> list[tuple[str, str, Override]]:
        """Each as (kind, name, override)."""
        return [(*name.split(":", 1), override) for name, override in sorted(self._entries.items())]  # type: ignore[misc]

    def get(self, kind: str, name: str) -> Override:
        """What is set for one queue (by key) or task."""
        return self._entries.get(f"{kind}:{name}", NOTHING)
