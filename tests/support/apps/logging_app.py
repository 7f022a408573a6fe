"""An arq application with a logging of its own, set up where APP_LOGGING says: "import", "startup" or nowhere."""

import logging
import os

from arq.connections import RedisSettings

WHERE = os.environ.get("APP_LOGGING", "nowhere")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"own": {"format": "FROM-DICT %(name)s %(message)s"}},
    "handlers": {"own": {"class": "logging.StreamHandler", "formatter": "own"}},
    "loggers": {"arq": {"handlers": ["own"], "level": "INFO"}},
}
NO_DICT = "a text"
BROKEN = {"version": 7}


def set_up():
    logging.basicConfig(level=logging.INFO, format="OWN %(name)s %(message)s")


if WHERE == "import":
    set_up()


async def startup(ctx):
    if WHERE == "startup":
        set_up()
    ctx["log"] = "the application's"


async def speak(ctx):
    logging.getLogger("library").info("a library's line")
    logging.getLogger("library").warning("a library's warning with token=abc-def-12345")
    return ctx["log"] + ", " + ctx["progress"]


class WorkerSettings:
    functions = [speak]
    redis_settings = RedisSettings.from_dsn(os.environ["APP_REDIS"])
    on_startup = startup
    ctx = {"progress": "its own"}
    health_check_interval = 1
    burst = bool(os.environ.get("APP_BURST"))
