"""The process that forks servers for `prefork.py`.

It imports what daphne, Django, Channels and pytest import, and forks for each request. The fork
then does what `python -m daphne …` or `python manage.py …` would do, with the tap in it. What only
the fork can import, it finds compiled.
"""

import atexit
import contextlib
import gc
import importlib.util
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import threading
from importlib.machinery import SourceFileLoader

LIBRARIES = """
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
# what a fork imports itself, because it needs a project's settings, makes the event loop, or takes
# what the tap watches from where that is
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


def main():
    """Fork a program for each request: a line of JSON, with descriptors.

    These are of its log, or of its stdin, stdout and stderr.

    The first connection is that of who has started this, and ends it.
    """
    for name in LIBRARIES.split():
        with contextlib.suppress(ImportError):
            __import__(name)
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
    gc.collect()
    gc.freeze()  # or each fork looks through, and so copies, all of it, again and again
    listener = socket.socket(fileno=0)
    ended, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    owner, living = listener.accept()[0], {}  # pid → the connection that has asked for it
    connections = [owner]
    while True:
        ready, *_ = select.select([listener, ended, *connections], [], [])
        if ended in ready:
            os.read(ended, 512)
        if listener in ready:
            connections.append(listener.accept()[0])
        for connection in set(ready) & set(connections):
            content, descriptors = b"", []
            with contextlib.suppress(ConnectionError):
                content, descriptors, *_ = socket.recv_fds(connection, 2**20, 3)
            if content:
                pid = os.fork()
                if pid == 0:
                    become(json.loads(content), descriptors)
                living[pid] = connection
                for descriptor in descriptors:
                    os.close(descriptor)
                tell(connection, "pid", pid)
                continue
            end(pid for pid in living if connection in (owner, living[pid]))
            if connection is owner:  # the tests have ended, or were killed
                return
            connections.remove(connection)
            connection.close()
        with contextlib.suppress(ChildProcessError):
            while (dead := os.waitpid(-1, os.WNOHANG))[0]:
                tell(living.pop(dead[0]), dead[0], os.waitstatus_to_exitcode(dead[1]))


def end(pids):
    """End the forks that nobody has ended, and what they have started."""
    for pid in pids:
        for kill in (os.kill, os.killpg):  # one that was just forked leads no group yet
            with contextlib.suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)


def tell(requests, *words):
    with contextlib.suppress(OSError):
        requests.sendall(f"{json.dumps(words)}\n".encode())


def become(request, descriptors):
    """Be the server, to its end."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        if len(descriptors) == 1:
            descriptors = [os.open(os.devnull, os.O_RDONLY), *2 * descriptors]
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        os.closerange(3, 256)  # or an open connection would outlive who has asked
        sys.stdin = open(0)
        sys.stdout, sys.stderr = (
            open(number, "w", encoding="utf-8", errors=errors, buffering=1, closefd=False)
            for number, errors in ((1, "strict"), (2, "backslashreplace"))
        )
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.dont_write_bytecode = True
        status = run(request["argv"])
    finally:
        os._exit(status)


def run(words):
    """Do what Python does with these words, and return its exit status."""
    try:
        if address := os.environ.get("CHANNELS_LIVE_TAP"):
            from channels_live import tap

            tap.install(address)
        if words[0] == "-m":
            sys.path.insert(0, os.getcwd())
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.path.insert(0, os.path.dirname(os.path.abspath(words[0])))
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if status and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    main()
