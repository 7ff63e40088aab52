from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path

from . import consumers

websocket_urlpatterns = [
    path("ws/chat/", consumers.ChatConsumer.as_asgi()),
    path("ws/echo/", consumers.Echo.as_asgi()),
    path("ws/guarded/", AllowedHostsOriginValidator(consumers.Echo.as_asgi())),
    path("ws/refusing/", consumers.Refusing.as_asgi()),
    path("ws/broken/", consumers.Broken.as_asgi()),
    path("ws/deaf/", consumers.Deaf.as_asgi()),
    path("ws/closing/", consumers.Closing.as_asgi()),
    path("ws/room/", consumers.Room.as_asgi()),
    path("ws/guest/", consumers.Guest.as_asgi()),
    path("ws/endless/", consumers.Endless.as_asgi()),
    path("ws/blocking/", consumers.Blocking.as_asgi()),
]
