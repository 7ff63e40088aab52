"""What is right in the exercises of lesson 2, Update the settings."""

from channels_live.checks import Fits, NotYet, Site, word

RUNSERVER = "python manage.py runserver --noreload"
HAS_NEITHER = """
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "myproject.dev"  # dev.py may ask for django.conf.settings
from myproject import dev

raise SystemExit(getattr(dev, "DEBUG", False) or bool(getattr(dev, "ALLOWED_HOSTS", [])))
"""

HINTS = {
    "2.1": [
        Fits(
            "404 comes from",
            'Start it: `ex1.start("python manage.py runserver 8000").log(contains="Starting")`. '
            "Whose server is that, by its banner?",
        ),
        Fits(
            r"404 comes from|daphne\.E001",
            "Which app, at which place in `INSTALLED_APPS`, makes `runserver` serve ASGI?",
        ),
        Fits(
            "in ASGI_APPLICATION|ASGI_APPLICATION module|not set ASGI_APPLICATION",
            "When that is mended, `runserver` starts to read `ASGI_APPLICATION`, and complains. "
            "The table at the lesson's end says how this setting is written.",
        ),
        '`"daphne"` as the first app, and dots all the way: `"myproject.asgi.application"`.',
    ],
    "2.2": [
        "A settings file is a Python module. It can import everything from another one: "
        "`from .settings import *`.",
        "Then set anew what is to differ. Where in the list must `daphne` stand? "
        "`INSTALLED_APPS += […]` puts it at the end.",
        '`INSTALLED_APPS = ["daphne", *INSTALLED_APPS]`, and the setting that `runserver` reads.',
    ],
}


def check_2_1(site: Site) -> None:
    site.serve(RUNSERVER, "`settings.py`: the message above says what is wrong with it now")
    greets(site)
    serves_pages(site, "static", "whether `django.contrib.staticfiles` is still in the list")


def check_2_2(site: Site) -> None:
    address = word()
    with (site.folder / "myproject/settings.py").open("a", encoding="utf-8") as settings:
        settings.write(f'\nSTATIC_URL = "{address}/"\nAPPEND_SLASH = False\n')
    command = f"{RUNSERVER} --settings=myproject.dev"
    try:
        site.serve(command, "`dev.py`: the message above says what is wrong with it now")
    except NotYet as problem:
        if problem.error and site.python("-c", HAS_NEITHER)[0] == 0:
            problem.look = (
                "what `dev.py` takes from `settings.py`: "
                "`DEBUG` and `ALLOWED_HOSTS` are right there, but Django finds neither in `dev.py`"
            )
        raise
    greets(site)
    look = f'what `dev.py` takes from `settings.py`: `STATIC_URL` there has become "{address}/"'
    serves_pages(site, address, look)
    look = "whether `dev.py` takes all from `settings.py`: `APPEND_SLASH = False` was added there"
    site.page("/accounts/login", look, status=404)
    site.serve(RUNSERVER)
    look = "`settings.py`: it is the server's, and has to stay as it was"
    site.refused("/ws/greet/", 404, look)


def greets(site: Site) -> None:
    look = (
        "who answers: 404 comes from Django's own server (see `INSTALLED_APPS`), "
        "500 from an application that is not the right one (see `ASGI_APPLICATION`)"
    )
    with site.client("/ws/greet/", look) as anna, site.client("/ws/greet/", look) as ben:
        for client in (anna, ben, anna):
            name = word()
            client.send(name)
            client.expect(f"Hello, {name}!", "`greeting.py`: it was right as it was")


def serves_pages(site: Site, static: str, look: str) -> None:
    site.page("/accounts/login/", "what else has changed in the settings")
    site.page(f"/{static}/myapp/site.css", look)
