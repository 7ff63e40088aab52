from django.urls import path

from . import consumers, rooms

websocket_urlpatterns = [
    path("ws/chat/", consumers.ChatConsumer.as_asgi()),
    path("ws/chat/<str:room_name>/", rooms.RoomConsumer.as_asgi()),
    path("ws/topics/", consumers.TopicCountConsumer.as_asgi()),
]
