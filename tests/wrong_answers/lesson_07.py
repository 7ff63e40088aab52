"""Wrong answers to the exercises of lesson 7."""

from channels_live.workspace import SAMPLE

from . import Wrong

PROCFILE, URLS, ASGI, NOTES = "Procfile", "myproject/urls.py", "myproject/asgi.py", "myapp/notes.py"
FRAME = " --websocket-max-frame-size 2000000"
APPLICATION = (SAMPLE / "steps/03/myproject/asgi.py").read_text(encoding="utf-8") + (
    "\nfrom django.contrib.staticfiles.handlers import ASGIStaticFilesHandler\n\n"
)
WITH_STATIC = "urlpatterns += staticfiles_urlpatterns()"
WRITE = """        with NOTES.open("a", encoding="utf-8") as file:
            file.write(f"{text_data}\\n")
"""

WRONG = {
    "7.1": [
        Wrong(
            "leaves the dot",
            "not enough values to unpack",
            PROCFILE,
            "asgi:application",
            "asgi.application",
        ),
        Wrong("raises one limit", "the smaller decides", PROCFILE, FRAME, ""),
        Wrong(
            "raises the limits too far",
            "this frame is too large, and got in",
            PROCFILE,
            "--websocket-max-message-size 2000000",
            "--websocket-max-message-size 20000000",
            ((PROCFILE, FRAME, f"{FRAME}0"),),
        ),
        Wrong(
            "forgets the access log",
            "the option that names the file",
            PROCFILE,
            " --access-log access.log",
            "",
        ),
        Wrong(
            "takes runserver",
            "which of the two servers the line starts",
            PROCFILE,
            "",
            "web: python manage.py runserver 8000\n",
        ),
        Wrong(
            "puts the log into a file as in a shell",
            "the command in `Procfile`",
            PROCFILE,
            "--access-log",
            ">",
        ),
        Wrong(
            "takes a server for pages only",
            "does not take the sockets of the site",
            PROCFILE,
            "",
            "web: gunicorn myproject.wsgi\n",
        ),
        Wrong("loses the name", "one line of it begins with `web:`", PROCFILE, "web: ", ""),
        Wrong(
            "writes a number with commas",
            "invalid int value: '2,000,000'",
            PROCFILE,
            FRAME,
            " --websocket-max-frame-size 2,000,000",
        ),
    ],
    "7.2": [
        Wrong(
            "calls the function and drops the list",
            "does it have an address for static files?",
            URLS,
            WITH_STATIC,
            "staticfiles_urlpatterns()",
        ),
        Wrong(
            "replaces the pages",
            "whether the pages are all still in `urlpatterns`",
            URLS,
            WITH_STATIC,
            "urlpatterns = staticfiles_urlpatterns()",
        ),
        Wrong(
            "serves the folder of one app",
            "the files of every app",
            URLS,
            WITH_STATIC,
            'urlpatterns += static("static/", document_root="myapp/static")',
            (
                (
                    URLS,
                    "from django.contrib.staticfiles.urls import staticfiles_urlpatterns",
                    "from django.conf.urls.static import static",
                ),
            ),
        ),
        Wrong(
            "serves the folder that nobody has collected",
            "first the exception below; then `urlpatterns`",
            URLS,
            WITH_STATIC,
            "urlpatterns += static(settings.STATIC_URL, document_root=settings.STATIC_ROOT)",
            (
                (
                    URLS,
                    "from django.contrib.staticfiles.urls import staticfiles_urlpatterns",
                    "from django.conf import settings\nfrom django.conf.urls.static import static",
                ),
            ),
        ),
        Wrong(
            "serves them in production too",
            "what your code does without `DEBUG`",
            ASGI,
            "",
            f"{APPLICATION}application = ASGIStaticFilesHandler(application)\n",
        ),
        Wrong(
            "leaves the sockets out",
            "what has become of the sockets, with DEBUG",
            ASGI,
            "",
            f"{APPLICATION}application = ASGIStaticFilesHandler(django_asgi_app)\n",
        ),
        Wrong(
            "does nothing of it",
            "does it have an address for static files?",
            URLS,
            "urlpatterns += staticfiles_urlpatterns()  # none of them without DEBUG\n",
            "",
        ),
    ],
    "7.3": [
        Wrong(
            "writes when the client leaves",
            "not only when its writer leaves",
            NOTES,
            WRITE,
            "        self.notes = [*getattr(self, 'notes', []), text_data]\n",
            (
                (
                    NOTES,
                    '        self.send(text_data="noted")\n',
                    '        self.send(text_data="noted")\n\n'
                    "    def disconnect(self, close_code):\n"
                    '        with NOTES.open("a", encoding="utf-8") as file:\n'
                    '            file.writelines(f"{note}\\n" for note in self.notes)\n',
                ),
            ),
        ),
        Wrong(
            "writes at once, and again at the end",
            "how often a note is written",
            NOTES,
            WRITE,
            f"        self.notes = [*getattr(self, 'notes', []), text_data]\n{WRITE}",
            (
                (
                    NOTES,
                    '        self.send(text_data="noted")\n',
                    '        self.send(text_data="noted")\n\n'
                    "    def disconnect(self, close_code):\n"
                    '        with NOTES.open("a", encoding="utf-8") as file:\n'
                    "            file.writelines(\n"
                    "                f\"{note}\\n\" for note in getattr(self, 'notes', [])\n"
                    "            )\n",
                ),
            ),
        ),
        Wrong(
            "keeps the notes in the module",
            "only what is in a file",
            NOTES,
            WRITE,
            "        ALL.append(text_data)\n",
            (
                (
                    NOTES,
                    "        if NOTES.exists():\n"
                    '            for note in NOTES.read_text(encoding="utf-8").splitlines():\n'
                    "                self.send(text_data=note)\n",
                    "        for note in ALL:\n            self.send(text_data=note)\n",
                ),
                (NOTES, "class Notes", "ALL = []\n\n\nclass Notes"),
            ),
        ),
        Wrong(
            "begins the file again with every note",
            "when another one is written",
            NOTES,
            'open("a"',
            'open("w"',
        ),
        Wrong(
            "forgets the ends of the lines",
            "one for each note",
            NOTES,
            '{text_data}\\n"',
            '{text_data}"',
        ),
        Wrong(
            "sends the ends of the lines",
            "with its text and nothing else",
            NOTES,
            "splitlines()",
            "splitlines(keepends=True)",
        ),
        Wrong(
            "keeps the same text once",
            "it is two notes",
            NOTES,
            WRITE,
            "        NOTES.touch()\n"
            '        if text_data not in NOTES.read_text(encoding="utf-8").splitlines():\n'
            '            with NOTES.open("a", encoding="utf-8") as file:\n'
            '                file.write(f"{text_data}\\n")\n',
        ),
        Wrong(
            "never closes the file",
            "still there",
            NOTES,
            WRITE,
            '        FILE.write(f"{text_data}\\n")\n',
            ((NOTES, "class Notes", 'FILE = NOTES.open("a", encoding="utf-8")\n\n\nclass Notes'),),
        ),
        Wrong(
            "leaves closing to chance",
            "when a note is written",
            NOTES,
            WRITE,
            '        self.file = NOTES.open("a", encoding="utf-8")\n'
            '        self.file.write(f"{text_data}\\n")\n',
        ),
        Wrong(
            "answers first, and keeps the note then",
            "`noted` is a promise",
            NOTES,
            WRITE,
            f'        self.send(text_data="noted")\n{WRITE}',
            ((NOTES, '        ### END SOLUTION\n        self.send(text_data="noted")\n', ""),),
        ),
        Wrong(
            "answers with the note",
            "the answer: it is `noted`",
            NOTES,
            'text_data="noted"',
            "text_data=text_data",
        ),
    ],
}
