from django.urls import path

from . import views

urlpatterns = [
    path("", views.log_in, name="log-in"),
    path("out/", views.log_out, name="log-out"),
    path("board/", views.board, name="board"),
    path("helpers/", views.helpers, name="helpers"),
    path("learner/", views.learner, name="learner"),
    path("class.csv", views.export, name="export"),
]
