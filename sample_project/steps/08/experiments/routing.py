from django.urls import path

from . import door, echo, sync_consumers

websocket_urlpatterns = [
    path("ws/echo/", echo.ChatConsumer.as_asgi()),
    path("ws/door/", door.DoorConsumer.as_asgi()),
    path("ws/json/", sync_consumers.JsonConsumer.as_asgi()),
    path("ws/slow/", sync_consumers.SlowConsumer.as_asgi()),
]
