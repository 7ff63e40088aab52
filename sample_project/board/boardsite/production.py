"""Settings for a board that others reach. They refuse to start where something is missing."""

import os
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from .settings import *  # noqa: F403
from .settings import DATA


def needed(name):
    if value := os.environ.get(name):
        return value
    raise ImproperlyConfigured(f"set {name} in the environment")


DEBUG = False
SECRET_KEY = needed("DJANGO_SECRET_KEY")
BOARD_CODE = needed("BOARD_CODE")
BOARD_WORD = needed("BOARD_WORD")
BOARD_HELPER_WORD = needed("BOARD_HELPER_WORD")
SITE = needed("DJANGO_SITE")  # https://class.example
if not SITE.startswith("https://"):
    raise ImproperlyConfigured("DJANGO_SITE begins with https://")
ALLOWED_HOSTS = [urlsplit(SITE).hostname]
CSRF_TRUSTED_ORIGINS = SOCKET_ORIGINS = [SITE]  # scheme, host and port

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SECURE_HSTS_SECONDS = 3600  # browsers remember it: begin with an hour
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]  # the same for all subdomains

CACHES = {  # what is counted, for all servers together
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": needed("REDIS_URL"),
    }
}
STATIC_ROOT = DATA / "run/static"
