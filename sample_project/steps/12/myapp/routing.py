from django.urls import path

from . import consumers, topics, visitors

websocket_urlpatterns = [
    path("ws/chat/", consumers.ChatConsumer.as_asgi()),
    path("ws/chat/<str:room_name>/", visitors.VisitorConsumer.as_asgi()),
    path("ws/topics/", consumers.TopicCountConsumer.as_asgi()),
    path("ws/topics/<slug:slug>/", topics.TopicConsumer.as_asgi()),
]
