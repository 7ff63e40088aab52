import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ChannelNameRouter, ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myproject.settings")
django_asgi_app = get_asgi_application()  # loads the apps, so that routing may use models

from myapp.goodbyes import Goodbyes  # noqa: E402
from myapp.routing import websocket_urlpatterns, workers  # noqa: E402
from myapp.tokens import TokenDoor  # noqa: E402

http_urlpatterns = []
if settings.DEBUG:
    from experiments import routing as experiments

    http_urlpatterns = experiments.http_urlpatterns
    websocket_urlpatterns = [*websocket_urlpatterns, *experiments.websocket_urlpatterns]

sockets = Goodbyes(URLRouter(websocket_urlpatterns))
application = ProtocolTypeRouter(
    {
        "http": URLRouter([*http_urlpatterns, re_path(r"", django_asgi_app)]),
        "websocket": TokenDoor(
            apps=sockets,
            browsers=OriginValidator(AuthMiddlewareStack(sockets), settings.SOCKET_ORIGINS),
        ),
        "channel": ChannelNameRouter(workers),
    }
)
