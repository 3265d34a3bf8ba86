"""Throttling per token; a cache that is away lets requests through instead of failing them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

if TYPE_CHECKING:
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)


class ForgivingRedisCache(RedisCache):
    """Uploads go on while Redis is down, so nothing that is kept there must be needed."""

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        try:
            return super().get(key, default, version)
        except RedisError:
            logger.warning("Redis does not answer; nothing is remembered, and requests are not throttled")
            return default

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        try:
            super().set(key, value, timeout, version)
        except RedisError:
            logger.warning("Redis does not answer; nothing is remembered, and requests are not throttled")

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        try:
            return super().add(key, value, timeout, version)
        except RedisError:
            logger.warning("Redis does not answer; nothing is counted")
            return True


class TokenRateThrottle(SimpleRateThrottle):
    """Counts by token, so that one program cannot starve the others of its user."""

    scope = "token"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        token = request.auth
        return f"throttle:token:{token.pk}" if token is not None else None
