from django.urls import path

from .consumers import TopicCountConsumer

websocket_urlpatterns = [
    path("ws/topics/", TopicCountConsumer.as_asgi()),
]
