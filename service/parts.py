"""What the application holds, by typed key."""

from aiohttp import web
from redis.asyncio import Redis

from service.feed import Feed
from workers.journal import Journal
from workers.reading import Reader
from workers.settings import Settings

SETTINGS = web.AppKey("settings", Settings)
REDIS = web.AppKey("redis", Redis)
JOURNAL = web.AppKey("journal", Journal)
READER = web.AppKey("reader", Reader)
FEED = web.AppKey("feed", Feed)
