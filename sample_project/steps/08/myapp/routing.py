from django.urls import path

from . import consumers, door, echo, sync_consumers

websocket_urlpatterns = [
    path("ws/chat/", consumers.ChatConsumer.as_asgi()),
    path("ws/topics/", consumers.TopicCountConsumer.as_asgi()),
    path("ws/echo/", echo.ChatConsumer.as_asgi()),
    path("ws/door/", door.DoorConsumer.as_asgi()),
    path("ws/json/", sync_consumers.JsonConsumer.as_asgi()),
    path("ws/slow/", sync_consumers.SlowConsumer.as_asgi()),
]
