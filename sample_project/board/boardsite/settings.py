import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("BOARD_DATA", BASE_DIR))  # what is stored

# The defaults are for development. `channels-live board` sets them all in the environment.
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "django-insecure-for-development-only")
DEBUG = os.environ.get("DJANGO_DEBUG", "1") == "1"
ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "127.0.0.1,localhost").split(",")
BOARD_CODE = os.environ.get("BOARD_CODE", "code")  # lets learners in
BOARD_WORD = os.environ.get("BOARD_WORD", "word")  # lets the instructor in
BOARD_HELPER_WORD = os.environ.get("BOARD_HELPER_WORD", "helper-word")
# Where the room finds the board; without it, where the page that tells it was opened
BOARD_ADDRESS = os.environ.get("BOARD_ADDRESS", "")
SOCKET_ORIGINS = ALLOWED_HOSTS  # pages that may open a screen's socket

INSTALLED_APPS = [
    "daphne",  # first
    "channels",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "board",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "boardsite.policy.policy",
]

# The cookie holds a role, signed, and nothing else: no table for it, and it ends with the browser.
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
# Cookies know no ports: Jupyter's and the board's on one host must not overwrite each other.
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "board-session", "board-csrf"

ROOT_URLCONF = "boardsite.urls"
ASGI_APPLICATION = "boardsite.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    },
]

if "REDIS_URL" in os.environ:  # servers with a broker between them
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [{"address": os.environ["REDIS_URL"], "socket_timeout": None}]},
        }
    }
else:  # one server
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "db.sqlite3",
        # writers take turns from their first statement on: see register.py
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
        "TEST": {"NAME": DATA / "test.sqlite3"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
