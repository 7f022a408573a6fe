"""An application with tasks that break what they run on: they cancel all of its event loop, or shut its threads down."""

import asyncio
import os

from arq.connections import RedisSettings


async def cancels_all(ctx):
    for task in asyncio.all_tasks():
        task.cancel()
    await asyncio.sleep(60)


async def shuts_threads_down(ctx):
    await asyncio.get_running_loop().shutdown_default_executor()


class WorkerSettings:
    functions = [cancels_all, shuts_threads_down]
    redis_settings = RedisSettings.from_dsn(os.environ["APP_REDIS"])
    max_tries = 2
