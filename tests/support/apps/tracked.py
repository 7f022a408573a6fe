"""An application that tells Sentry of its failures, by Sentry's arq integration as its documentation switches it on."""

import asyncio
import os

import sentry_sdk
from arq import Retry, func
from arq.connections import RedisSettings

import arqlight

sentry_sdk.init(dsn=os.environ["APP_SENTRY"], traces_sample_rate=1.0)


async def explode(ctx, password):
    raise ValueError("boom")


async def again(ctx):
    if ctx["job_try"] == 1:
        raise Retry
    return "done"


async def fine(ctx):
    return "fine"


async def slow(ctx):
    await asyncio.sleep(60)


async def deep(ctx):
    error = ValueError("innermost")
    for _ in range(3000):
        error = ExceptionGroup("around", [error])
    raise error


@arqlight.task(tries=2, backoff=arqlight.Backoff(first_s=0.01))
async def tried_twice(ctx):
    raise KeyError("missing")


class WorkerSettings:
    functions = [explode, again, fine, func(slow, timeout=0.1), deep, tried_twice]
    redis_settings = RedisSettings.from_dsn(os.environ["APP_REDIS"])
