"""Wrong answers to the exercises of lesson 2."""

from . import Wrong

SETTINGS, DEV = "myproject/settings.py", "myproject/dev.py"
FIRST, LAST = '    "daphne",\n', '    "myapp",\n'
LIST = 'INSTALLED_APPS = ["daphne", *INSTALLED_APPS]'
TO_ASGI = 'ASGI_APPLICATION = "myproject.asgi.application"'
OWN_SETTINGS = """import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "django-insecure-for-development-only")
DEBUG = True
ROOT_URLCONF = "myproject.urls"
INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "myapp",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
STATIC_URL = "static/"
ASGI_APPLICATION = "myproject.asgi.application"
"""

WRONG = {
    "2.1": [
        Wrong("mends only the colon", "404 comes from Django's own server", SETTINGS, FIRST, ""),
        Wrong(
            "mends only the list",
            "Cannot find 'asgi:application' in ASGI_APPLICATION",
            SETTINGS,
            "myproject.asgi.application",
            "myproject.asgi:application",
        ),
        Wrong(
            "adds daphne at the end",
            "(daphne.E001) Daphne must be listed before",
            SETTINGS,
            FIRST,
            "",
            ((SETTINGS, LAST, LAST + FIRST),),
        ),
        Wrong(
            "takes staticfiles out, which was in the way",
            "`django.contrib.staticfiles` is still in the list",
            SETTINGS,
            '    "django.contrib.staticfiles",\n',
            "",
        ),
        Wrong("forgets a comma", "daphnechannels", SETTINGS, FIRST, '    "daphne"\n'),
        Wrong(
            "names the file of the routes, as older guides do",
            "Cannot import ASGI_APPLICATION module 'myproject.routing'",
            SETTINGS,
            "myproject.asgi.application",
            "myproject.routing.application",
        ),
        Wrong(
            "names the application of wsgi.py",
            "500 from an application that is not the right one",
            SETTINGS,
            "myproject.asgi.application",
            "myproject.wsgi.application",
        ),
        Wrong("takes the setting out", "You have not set ASGI_APPLICATION", SETTINGS, TO_ASGI, ""),
    ],
    "2.2": [
        Wrong(
            "adds daphne at the end",
            "(daphne.E001) Daphne must be listed before",
            DEV,
            LIST,
            'INSTALLED_APPS = [*INSTALLED_APPS, "daphne"]',
        ),
        Wrong("thinks daphne is enough", "You have not set ASGI_APPLICATION", DEV, TO_ASGI, ""),
        Wrong(
            "has Channels for the app that does it",
            "404 comes from Django's own server",
            DEV,
            '"daphne", *',
            '"channels", *',
        ),
        Wrong(
            "forgets the apps of the server",
            "Model class django.contrib.contenttypes.models.ContentType",
            DEV,
            LIST,
            'INSTALLED_APPS = ["daphne"]',
        ),
        Wrong(
            "takes only the apps",
            "Django finds neither in `dev.py`",
            DEV,
            "from .settings import *\n",
            "",
        ),
        Wrong(
            "takes what the running site has",
            "Django finds neither in `dev.py`",
            DEV,
            "from .settings import *\n",
            "from django.conf import settings\n",
            ((DEV, "*INSTALLED_APPS", "*settings.INSTALLED_APPS"),),
        ),
        Wrong(
            "takes only the settings that it knows of",
            "whether `dev.py` takes all from `settings.py`",
            DEV,
            "import *",
            "import DATABASES, DEBUG, MIDDLEWARE, ROOT_URLCONF, SECRET_KEY, STATIC_URL, TEMPLATES",
        ),
        Wrong(
            "writes all settings once more",
            "what `dev.py` takes from `settings.py`",
            DEV,
            "",
            OWN_SETTINGS,
        ),
        Wrong(
            "changes the settings of the server as well",
            "it is the server's, and has to stay as it was",
            SETTINGS,
            'INSTALLED_APPS = [\n    "django',
            'ASGI_APPLICATION = "myproject.asgi.application"\n'
            'INSTALLED_APPS = [\n    "daphne",\n    "django',
            ((DEV, LIST, ""),),
        ),
    ],
}
