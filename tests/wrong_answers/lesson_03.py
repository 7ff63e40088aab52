"""Wrong answers to the exercises of lesson 3."""

from . import Wrong

ASGI, ROUTING = "myproject/asgi.py", "myapp/routing.py"
APPS = (
    "django_asgi_app = get_asgi_application()  # loads the apps, so that routing may use models\n"
)
ROUTES = "from myapp.routing import websocket_urlpatterns  # noqa: E402\n"
GUARDED = """OriginValidator(
            AuthMiddlewareStack(URLRouter(websocket_urlpatterns)), origins
        )"""
UNGUARDED = "AuthMiddlewareStack(URLRouter(websocket_urlpatterns))"
TOPICS = "AllowedHostsOriginValidator(AuthMiddlewareStack(TopicCountConsumer.as_asgi()))"
ROUTER_INSIDE = (
    "AllowedHostsOriginValidator(AuthMiddlewareStack("
    'URLRouter([path("topics/", TopicCountConsumer.as_asgi())])))'
)
ROUTER = '"websocket": URLRouter(websocket_urlpatterns)'
AS_IN_THE_LESSON = """from django.urls import path

from .consumers import TopicCountConsumer
from .count import CountConsumer

websocket_urlpatterns = [
    path("ws/count/", CountConsumer.as_asgi()),
    path("ws/topics/", TopicCountConsumer.as_asgi()),
]
"""

WRONG = {
    "3.1": [
        Wrong(
            "only moves setdefault above the imports",
            "Apps aren't loaded yet",
            ASGI,
            APPS,
            "",
            ((ASGI, '"http": django_asgi_app', '"http": get_asgi_application()'),),
        ),
        Wrong("mends only the order", "scope type 'websocket'", ASGI, '"websocket"', '"ws"'),
        Wrong(
            "forgets setdefault",
            "settings are not configured",
            ASGI,
            'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myproject.settings")\n',
            "",
        ),
        Wrong(
            "forgets a bracket",
            "the server's own words",
            ASGI,
            "(URLRouter(websocket_urlpatterns))",
            "(URLRouter(websocket_urlpatterns)",
        ),
        Wrong(
            "takes the guard out while at it",
            "who is let in, from where",
            ASGI,
            "AllowedHostsOriginValidator(\n",
            "(\n",
        ),
        Wrong(
            "puts the guard around pages as well",
            "whether a guard stands before it",
            ASGI,
            "application = ProtocolTypeRouter(\n",
            "application = AllowedHostsOriginValidator(ProtocolTypeRouter(\n",
            ((ASGI, "        ),\n    }\n)", "        ),\n    }\n))"),),
        ),
    ],
    "3.2": [
        Wrong(
            "does not find the user",
            "KeyError: 'user'",
            ASGI,
            "AuthMiddlewareStack(URLRouter(websocket_urlpatterns))",
            "URLRouter(websocket_urlpatterns)",
        ),
        Wrong(
            "writes the hosts down",
            "was added to `ALLOWED_HOSTS`",
            ASGI,
            "*settings.ALLOWED_HOSTS",
            '"localhost", "127.0.0.1"',
        ),
        Wrong(
            "leaves the scheme out",
            "`https://` belongs to the origin",
            ASGI,
            '"https://app',
            '"app',
        ),
        Wrong(
            "lets all servers of the domain in",
            "who is let in, from where",
            ASGI,
            '"https://app.board',
            '"https://.board',
        ),
        Wrong(
            "lets everybody in", "who is let in, from where", ASGI, "[*settings", '["*", *settings'
        ),
        Wrong(
            "puts one guard behind the other",
            "403 is the guard's answer",
            ASGI,
            GUARDED,
            f"AllowedHostsOriginValidator({GUARDED})",
            (
                (
                    ASGI,
                    "import OriginValidator",
                    "import AllowedHostsOriginValidator, OriginValidator",
                ),
            ),
        ),
        Wrong("guards nothing", "who is let in, from where", ASGI, GUARDED, UNGUARDED),
    ],
    "3.3": [
        Wrong(
            "leaves the guard around all",
            "403 is the guard's answer",
            ROUTING,
            "",
            AS_IN_THE_LESSON,
            (
                (
                    ASGI,
                    ROUTER,
                    '"websocket": AllowedHostsOriginValidator('
                    "AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))",
                ),
            ),
        ),
        Wrong(
            "takes the guard away from all",
            "who is let in, from where",
            ROUTING,
            TOPICS,
            "AuthMiddlewareStack(TopicCountConsumer.as_asgi())",
        ),
        Wrong(
            "finds the user for all",
            "it knows who asks",
            ROUTING,
            TOPICS,
            "AllowedHostsOriginValidator(TopicCountConsumer.as_asgi())",
            ((ASGI, ROUTER, '"websocket": AuthMiddlewareStack(URLRouter(websocket_urlpatterns))'),),
        ),
        Wrong(
            "takes all layers away",
            "KeyError: 'user'",
            ROUTING,
            TOPICS,
            "TopicCountConsumer.as_asgi()",
        ),
        Wrong(
            "guards the wrong door",
            "403 is the guard's answer",
            ROUTING,
            '"ws/count/", CountConsumer.as_asgi()',
            '"ws/count/", AllowedHostsOriginValidator(CountConsumer.as_asgi())',
        ),
        Wrong(
            "guards a router inside the router",
            "or a `URLRouter` stands behind a guard",
            ROUTING,
            f'"ws/topics/",\n        {TOPICS}',
            f'"ws/", {ROUTER_INSIDE}',
            (
                (
                    ROUTING,
                    "from django.urls",
                    "from channels.routing import URLRouter\nfrom django.urls",
                ),
            ),
        ),
        Wrong(
            "begins with a slash",
            "perhaps a path begins with a slash",
            ROUTING,
            '"ws/count/"',
            '"/ws/count/"',
        ),
        Wrong(
            "forgets as_asgi",
            "TypeError",
            ROUTING,
            "CountConsumer.as_asgi()),\n    path(\n",
            "CountConsumer),\n    path(\n",
        ),
    ],
}
