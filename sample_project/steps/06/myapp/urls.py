from django.urls import path
from django.views.generic import TemplateView

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("topics/<slug:slug>/", views.topic_detail, name="topic"),
    path("chat/", TemplateView.as_view(template_name="myapp/chat.html"), name="index"),
]
