"""An application with a task that takes its worker down with it."""

import os
import signal

from arq.connections import RedisSettings


async def pid(ctx):
    return os.getpid()


async def fatal(ctx):
    os.kill(os.getpid(), signal.SIGKILL)


class WorkerSettings:
    functions = [pid, fatal]
    redis_settings = RedisSettings.from_dsn(os.environ["APP_REDIS"])
    max_tries = 2
