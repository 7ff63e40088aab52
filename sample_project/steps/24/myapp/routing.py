from django.urls import path

from . import consumers, fragments, live, members, report_worker, reports, topics, visitors

websocket_urlpatterns = [
    path("ws/chat/", consumers.ChatConsumer.as_asgi()),
    path("ws/chat/<str:room_name>/", visitors.VisitorConsumer.as_asgi()),
    path("ws/topics/", consumers.TopicCountConsumer.as_asgi()),
    path("ws/topics/<slug:slug>/", topics.TopicConsumer.as_asgi()),
    path("ws/topics/<slug:slug>/page/", fragments.TopicPageConsumer.as_asgi()),
    path("ws/live/", live.LiveConsumer.as_asgi()),
    path("ws/member/", members.MemberConsumer.as_asgi()),
    path("ws/report/", reports.ReportConsumer.as_asgi()),
]

workers = {
    "reports": report_worker.ReportWorker.as_asgi(),
}
