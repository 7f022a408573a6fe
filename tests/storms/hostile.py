"""The arq application that hostile bodies are sent to; it reads as the bundled tasks do."""

from typing import Any, ClassVar

from arqlight.jobs.serialization import read_plain


async def work(ctx: dict[str, Any], *args: Any, **kwargs: Any) -> None:
    return


class WorkerSettings:
    """Each body gets one try."""

    functions: ClassVar[list[Any]] = [work]
    max_jobs = 100
    max_tries = 1
    keep_result = 0
    job_deserializer = read_plain
