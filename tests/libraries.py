"""What `zygote.py` imports before it forks, and what its forks need not read any more."""

import contextlib
import importlib
import importlib.util
import os
import pkgutil
import sys
from importlib.machinery import SourceFileLoader

# Of daphne, Django, Channels and pytest
SERVERS = """
asyncio.runners autobahn.twisted.websocket autobahn.websocket.protocol channels.apps channels.auth
channels.generic.http channels.generic.websocket channels.layers channels.routing
channels.security.websocket channels.sessions channels.worker channels_redis.core
channels_redis.pubsub cProfile daphne.access daphne.utils django.apps.registry
django.conf.locale.en.formats django.conf.urls django.contrib.admin.apps
django.contrib.admin.checks django.contrib.admin.options
django.contrib.admin.templatetags.admin_list django.contrib.admin.templatetags.admin_modify
django.contrib.admin.templatetags.admin_urls django.contrib.admin.templatetags.log
django.contrib.admin.views.autocomplete django.contrib.auth.apps django.contrib.auth.checks
django.contrib.auth.context_processors django.contrib.auth.hashers django.contrib.auth.management
django.contrib.auth.password_validation django.contrib.auth.tokens django.contrib.auth.validators
django.contrib.contenttypes.apps django.contrib.contenttypes.checks
django.contrib.contenttypes.management django.contrib.messages.apps
django.contrib.messages.context_processors django.contrib.messages.middleware
django.contrib.messages.storage.fallback django.contrib.sessions.apps
django.contrib.sessions.backends.db django.contrib.sessions.middleware
django.contrib.sessions.serializers django.contrib.sites.requests django.contrib.staticfiles.apps
django.contrib.staticfiles.checks django.contrib.staticfiles.handlers
django.contrib.staticfiles.storage django.core.asgi django.core.cache.backends.locmem
django.core.handlers.asgi django.core.handlers.wsgi django.core.management.commands.loaddata
django.core.management.commands.makemigrations django.core.management.commands.migrate
django.core.management.commands.shell django.core.serializers.json django.core.serializers.jsonl
django.core.serializers.pyyaml django.core.serializers.xml_serializer django.core.servers.basehttp
django.db.backends.sqlite3.base django.db.migrations.executor django.db.models
django.db.models.sql.compiler django.middleware.cache django.middleware.clickjacking
django.middleware.common django.middleware.http django.middleware.security
django.template.backends.django django.template.context_processors django.template.loader_tags
django.template.loaders.app_directories django.template.loaders.cached
django.template.loaders.filesystem django.templatetags.cache django.templatetags.l10n
django.templatetags.tz django.test django.urls django.utils.autoreload
django.utils.translation.reloader django.views.csrf django.views.debug
django.views.decorators.http django.views.defaults django.views.generic django.views.i18n
django_htmx.jinja django_htmx.templatetags.django_htmx h11 msgspec.inspect msgspec.json
OpenSSL.SSL prometheus_client pytest twisted.internet.asyncioreactor twisted.internet.endpoints
twisted.internet.tcp twisted.web.http websockets.extensions.permessage_deflate websockets.server
zoneinfo
"""
# Of a kernel, and of what lessons and exercises import in it
KERNELS = """
asgiref.sync channels.layers channels_live.checks.crossing channels_live.checks.frames
channels_live.checks.page channels_live.exercise channels_live.lesson channels_live.stage.panels
h2.connection httpcore httpx ipykernel.debugger ipykernel.kernelapp IPython.core.completerlib
IPython.core.debugger IPython.core.magic_arguments IPython.core.magics.osm
IPython.extensions.storemagic pexpect sqlite3 tornado.platform.asyncio unittest.mock
websockets.asyncio.client
"""
# What the fork of a server imports itself, because it needs a project's settings, makes the event
# loop, or takes what the tap watches from where that is
LATER = """
daphne.apps daphne.checks daphne.cli daphne.endpoints daphne.http_protocol
daphne.management.commands.runserver daphne.server daphne.ws_protocol django.contrib.admin.models
django.contrib.auth.admin django.contrib.auth.backends django.contrib.auth.base_user
django.contrib.auth.forms django.contrib.auth.middleware django.contrib.auth.models
django.contrib.auth.views django.contrib.contenttypes.admin django.contrib.contenttypes.fields
django.contrib.contenttypes.forms django.contrib.contenttypes.models
django.contrib.contenttypes.views django.contrib.sessions.base_session
django.contrib.sessions.models django.contrib.sites.shortcuts
django.core.management.commands.runserver twisted.internet.reactor
"""
MIGRATED = "admin auth contenttypes sessions"  # apps of Django's


class AtHand(SourceFileLoader):
    """Loads a module for which nothing has to be read any more."""

    def __init__(self, spec):
        super().__init__(spec.name, spec.origin)
        self._code = spec.loader.get_code(spec.name)

    def get_code(self, name):
        return self._code


class Finder:
    """Finds modules whose code is at hand."""

    def __init__(self, names):
        self._specs = {}
        for name in names:
            with contextlib.suppress(ImportError):
                if spec := importlib.util.find_spec(name):
                    spec.loader = AtHand(spec)
                    self._specs[name] = spec

    def find_spec(self, name, path=None, target=None):
        return self._specs.get(name)


def names_in(package):
    return [each.name for each in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]


def import_for_servers():
    import_all(SERVERS)
    later = LATER.split()
    for app in MIGRATED.split():
        later += names_in(importlib.import_module(f"django.contrib.{app}.migrations"))
    for name in names_in(importlib.import_module("channels_live.tap")):
        importlib.import_module(name)  # so its patterns are compiled, too
    of_the_tap = [name for name in sys.modules if name.partition(".")[0] == "channels_live"]
    sys.meta_path.insert(0, Finder([*later, *of_the_tap]))
    for name in of_the_tap:
        del sys.modules[name]  # it knows its process: each fork has its own
    # daphne makes the event loop when it is imported; forks must not share one
    assert not {"twisted.internet.reactor", "daphne.server", "channels_live"} & set(sys.modules)


def import_for_kernels():
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # or its debugger warns; no fork inherits it
    import_all(KERNELS)


def import_all(names):
    for name in names.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
