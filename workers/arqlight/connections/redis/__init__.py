"""A connection to Redis or Valkey: the journal on arq's own keys."""

from arqlight.connections.redis.connection import RedisConnection as RedisConnection
