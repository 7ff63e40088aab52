import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator, WebsocketDenier
from channels.sessions import SessionMiddlewareStack
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "boardsite.settings")
django_asgi_app = get_asgi_application()  # loads the apps, so that consumers may use models

from board.goodbyes import Goodbyes  # noqa: E402
from board.learners import LearnerConsumer  # noqa: E402
from board.screens import ScreenConsumer  # noqa: E402

screens = SessionMiddlewareStack(ScreenConsumer.as_asgi())
application = ProtocolTypeRouter(
    {
        # a bare daphne serves no static files; behind nginx none are asked for here
        "http": ASGIStaticFilesHandler(django_asgi_app),
        "websocket": Goodbyes(
            URLRouter(
                [
                    # a key in the first message lets in: no cookie, so it may come from anywhere
                    path("ws/learner/", LearnerConsumer.as_asgi()),
                    path("ws/screen/", OriginValidator(screens, settings.SOCKET_ORIGINS)),
                    re_path(r"", WebsocketDenier.as_asgi()),
                ]
            )
        ),
    }
)
