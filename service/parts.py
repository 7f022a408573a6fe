"""What the application holds, by typed key."""

from aiohttp import web
from redis.asyncio import Redis

from service.feed import Feed
from service.operations import Operations
from workers.database import Database
from workers.journal import Journal
from workers.key_ring import KeyRing
from workers.reading import Reader
from workers.settings import Settings
from workers.tasks.email.rendering import Renderer

DATABASE = web.AppKey("database", Database)
KEY_RING = web.AppKey("key_ring", KeyRing)
RENDERER = web.AppKey("renderer", Renderer)
OPERATIONS = web.AppKey("operations", Operations)
SETTINGS = web.AppKey("settings", Settings)
REDIS = web.AppKey("redis", Redis)
JOURNAL = web.AppKey("journal", Journal)
READER = web.AppKey("reader", Reader)
FEED = web.AppKey("feed", Feed)
