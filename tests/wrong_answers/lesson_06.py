"""Wrong answers to the exercises of lesson 6."""

from . import Wrong

PROJECT_URLS, URLS, ROUTING = "myproject/urls.py", "myapp/urls.py", "myapp/routing.py"
PAGE, TEST = "myapp/templates/myapp/room.html", "myapp/test_stamps.py"
ADDRESS = "/ws/rooms/{{ room }}/"

WRONG = {
    "6.1": [
        Wrong(
            "leaves the include",
            "does not appear to have any patterns in it",
            PROJECT_URLS,
            '    path("accounts/login/"',
            '    path("ws/", include("myapp.routing")),\n    path("accounts/login/"',
        ),
        Wrong(
            "gives include the name it wants",
            "which line of `urls.py` makes a page of a socket",
            PROJECT_URLS,
            '    path("accounts/login/"',
            '    path("ws/", include("myapp.routing")),\n    path("accounts/login/"',
            ((ROUTING, "websocket_urlpatterns = [", "websocket_urlpatterns = urlpatterns = ["),),
        ),
        Wrong(
            "leaves the doorbell among the pages",
            "makes a page of a socket",
            URLS,
            'name="index"),\n',
            'name="index"),\n    path("ws/bell/", bell.BellConsumer.as_asgi()),\n',
            ((URLS, "import views", "import bell, views"),),
        ),
        Wrong(
            "takes the doorbell out, and puts it nowhere",
            "the doorbell needs one",
            ROUTING,
            '    path("ws/bell/", bell.BellConsumer.as_asgi()),\n',
            "",
        ),
        Wrong(
            "forgets as_asgi",
            "letter by letter",
            ROUTING,
            "bell.BellConsumer.as_asgi()",
            "bell.BellConsumer",
        ),
        Wrong(
            "forgets the import",
            "NameError: name 'bell' is not defined",
            ROUTING,
            "import bell, consumers",
            "import consumers",
        ),
        Wrong(
            "throws away too much",
            "HTTP 404",
            PROJECT_URLS,
            '    path("", include("myapp.urls")),\n',
            "",
        ),
        Wrong(
            "loses the home page",
            "the pages of the noticeboard",
            URLS,
            '    path("", views.home, name="home"),\n',
            '    path("home/", views.home, name="home"),\n',
        ),
    ],
    "6.2": [
        Wrong("forgets the first slash", "how it must begin", PAGE, ADDRESS, ADDRESS[1:]),
        Wrong("forgets the last slash", "slash by slash", PAGE, ADDRESS, ADDRESS[:-1]),
        Wrong(
            "writes the server down",
            "what the script puts before `data-socket`",
            PAGE,
            ADDRESS,
            f"ws://127.0.0.1:8000{ADDRESS}",
        ),
        Wrong("knows the kitchen only", "whose socket it is", PAGE, ADDRESS, "/ws/rooms/kitchen/"),
        Wrong(
            "names it otherwise in the address",
            "how your address names what it captures",
            URLS,
            "<slug:room>",
            "<slug:name>",
        ),
        Wrong(
            "takes any name",
            "which characters may the name of a room have",
            URLS,
            "<slug:room>",
            "<str:room>",
        ),
        Wrong(
            "knows small letters only",
            "whose socket it is",
            PAGE,
            ADDRESS,
            "/ws/rooms/{{ room|lower }}/",
        ),
        Wrong(
            "leaves the end open",
            "what does it let in behind the room",
            URLS,
            'path("rooms/<slug:room>/"',
            're_path(r"^rooms/(?P<room>[-a-zA-Z0-9_]+)/"',
            ((URLS, "import path\n", "import path, re_path\n"),),
        ),
        Wrong(
            "forgets as_view",
            "view must be a callable",
            URLS,
            'TemplateView.as_view(template_name="myapp/room.html")',
            'TemplateView(template_name="myapp/room.html")',
        ),
        Wrong(
            "puts the page among the sockets",
            "the line for this page in `myapp/urls.py`",
            URLS,
            '    path("rooms/<slug:room>/", '
            'TemplateView.as_view(template_name="myapp/room.html"), name="room"),\n',
            "",
            ((ROUTING, '"ws/rooms', '"rooms'),),
        ),
        Wrong(
            "gives the id to another element",
            "the element with the id `log`",
            PAGE,
            '<ul id="log" data',
            '<ul id="room" data',
        ),
    ],
    "6.3": [
        Wrong(
            "has one guest",
            "how many clients your test has at the same time",
            TEST,
            "anna, ben = await self.guest(), await self.guest()",
            "anna = ben = await self.guest()",
            (
                (TEST, 'coffee_for(ben), "stamp 1"', 'coffee_for(ben), "stamp 2"'),
                (TEST, 'coffee_for(anna), "stamp 2"', 'coffee_for(anna), "stamp 3"'),
                (TEST, "        await ben.disconnect()\n", ""),
            ),
        ),
        Wrong(
            "drinks four coffees",
            "the answer to the fifth coffee",
            TEST,
            "range(6)",
            "range(4)",
            ((TEST, ', "free", "stamp 1"]', "]"),),
        ),
        Wrong(
            "forgets the await",
            "a forgotten `await`",
            TEST,
            "        answers = [await self.coffee_for(anna) for _ in range(6)]\n",
            "        answers = [self.coffee_for(anna) for _ in range(6)]\n",
            ((TEST, "self.assertEqual(answers, expected)", "self.assertTrue(answers, expected)"),),
        ),
        Wrong(
            "forgets the origin",
            "here the consumer is as it should be",
            TEST,
            ", headers=headers)",
            ")",
        ),
        Wrong(
            "calls the methods as they like",
            "Django runs those of the class that begin with `test_`",
            TEST,
            "def test_the_fifth",
            "def the_fifth",
            ((TEST, "def test_every", "def every"),),
        ),
        Wrong(
            "expects the sixth to be free",
            "AssertionError",
            TEST,
            '"stamp 4", "free", "stamp 1"]',
            '"stamp 4", "stamp 5", "free"]',
        ),
        Wrong(
            "reads JSON",
            "what the consumer sends is not JSON",
            TEST,
            "receive_from()",
            "receive_json_from()",
        ),
    ],
}
