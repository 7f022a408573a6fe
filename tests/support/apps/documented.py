"""An arq application written only against arq's documentation: nothing of ours is imported."""

import asyncio
import os

from arq import Retry, cron, func
from arq.connections import RedisSettings


async def startup(ctx):
    ctx["greeting"] = "hello"


async def shutdown(ctx):
    await ctx["redis"].set("app:shut-down", "1")


async def on_job_start(ctx):
    await ctx["redis"].incr("app:started")


async def greet(ctx, name):
    return f"{ctx['greeting']} {name}, try {ctx['job_try']}"


async def flaky(ctx):
    if ctx["job_try"] < 3:
        raise Retry(defer=ctx["job_try"] * 0.05)
    return ctx["job_try"]


async def parent(ctx):
    job = await ctx["redis"].enqueue_job("greet", "child")
    return job.job_id


async def slow(ctx, seconds=0.05):
    await ctx["redis"].rpush("app:ran", ctx["job_id"])
    await asyncio.sleep(seconds)


async def tick(ctx):
    await ctx["redis"].incr("app:ticks")


async def explode(ctx):
    raise RuntimeError("boom")


class WorkerSettings:
    functions = [greet, flaky, parent, func(slow, name="slow", keep_result=60, timeout=120), explode]
    cron_jobs = [cron(tick, second=set(range(60)))]
    redis_settings = RedisSettings.from_dsn(os.environ["APP_REDIS"])
    on_startup = startup
    on_shutdown = shutdown
    on_job_start = on_job_start
    max_jobs = 5
    keep_result = 120
    max_tries = 4
    allow_abort_jobs = True
