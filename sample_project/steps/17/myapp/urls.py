from django.urls import path, re_path
from django.views.generic import TemplateView

from . import tokens, views

index = TemplateView.as_view(template_name="myapp/chat.html")
room = TemplateView.as_view(template_name="myapp/room.html")

urlpatterns = [
    path("", views.home, name="home"),
    path("topics/<slug:slug>/", views.topic_detail, name="topic"),
    path("notifications/", views.notifications, name="notifications"),
    path("ticket/", tokens.ticket),
    path("tokens/", tokens.page, name="tokens"),
    path("chat/", index, name="index"),
    re_path(r"^chat/(?P<room_name>[^/]{1,50})/$", room, name="room"),
]
