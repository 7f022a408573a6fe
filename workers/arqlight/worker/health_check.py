"""`arqlight worker --check`: whether a worker of this queue lives, as `arq --check` tells it."""

import logging
from typing import Any

from arq.connections import RedisSettings, create_pool
from arq.constants import default_queue_name, health_check_key_suffix
from arq.worker import get_kwargs
from redis.exceptions import RedisError

from arqlight.connections.connection_errors import reason_of
from arqlight.connections.redis_client import connect_arq
from arqlight.journal.deadline import CALL_S, deadline
from arqlight.settings import Settings
from arqlight.worker.worker_settings import url_instead

logger = logging.getLogger("arqlight.worker")


async def check_health(settings_class: Any, settings: Settings) -> int:
    """0 where the health key of arq is there, 1 where it is not, or its server does not answer."""
    kwargs: dict[str, Any] = get_kwargs(settings_class)
    url = url_instead(kwargs, settings)
    key = kwargs.get("health_check_key") or kwargs.get("queue_name", default_queue_name) + health_check_key_suffix
    try:
        async with deadline(CALL_S):
            pool = kwargs.get("redis_pool") or await (
                create_pool(kwargs.get("redis_settings") or RedisSettings()) if url is None else connect_arq(url)
            )
            told = await pool.get(key)
            await pool.aclose(close_connection_pool=True)
    except (RedisError, OSError, TimeoutError) as error:
        logger.warning("Health check failed: %s", reason_of(error))
        return 1
    if not told:
        logger.warning("Health check failed: no health check sentinel value found")
        return 1
    logger.info("Health check successful: %s", told)
    return 0
