"""What the service itself keeps on a Redis or Valkey server, by the names of its keys."""

from redis.asyncio import Redis

from arqlight.connections.redis.expiring_texts import RedisExpiringTexts
from arqlight.connections.redis.recent_names import RedisRecentNames
from arqlight.connections.redis.records import RedisRecords
from arqlight.connections.redis.window_counters import RedisWindowCounters
from arqlight.journal.keys import KEYS


class RedisStore:
    """See `parts.store.Store`."""

    def __init__(self, redis: Redis) -> None:
        self.users = RedisRecords(redis, KEYS["users"])
        self.tokens = RedisRecords(redis, KEYS["tokens"])
        self.sessions = RedisExpiringTexts(redis, KEYS["session"])
        self.answers = RedisExpiringTexts(redis, KEYS["answers"])
        self.sign_ins = RedisExpiringTexts(redis, KEYS["signing_in"])
        self.used_codes = RedisExpiringTexts(redis, KEYS["used_code"])
        self.sign_in_attempts = RedisWindowCounters(redis, KEYS["tries_to_sign_in"])
        self.operations = RedisExpiringTexts(redis, KEYS["operation"])
        self.newest_operations = RedisRecentNames(redis, KEYS["operations"])
        self.operation_leases = RedisExpiringTexts(redis, KEYS["operating"])
        self.alert_quiet_periods = RedisExpiringTexts(redis, KEYS["alerted"])
