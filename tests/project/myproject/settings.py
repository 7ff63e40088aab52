"""The settings of the plain site, made live."""

from myproject.plain_settings import *  # noqa: F403

INSTALLED_APPS = ["daphne", "channels", *INSTALLED_APPS]  # noqa: F405
ASGI_APPLICATION = "myproject.asgi.application"
CHANNEL_LAYERS = {"default": {"BACKEND": "myproject.layers.Preloaded"}}
