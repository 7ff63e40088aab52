"""Lines out of logs that people have published, and the page that must be found for them.

Word for word, but for paths in the middle that are shortened to …; where: the report.
"""

ROUTE = "lesson 4"  # or lesson 3, which shows the same words with another path
PROTOCOL, AS_ASGI, NAMES = "lesson 3", "lesson 4", "lesson 12"
SETTINGS, ASYNC, CLIENTS, LAYERS = "clinic 1", "clinic 2", "clinic 3", "clinic 4"
DEPLOYMENT, TESTS, CONSUMERS = "clinic 5", "clinic 6", "clinic 7"
CHANNELS = "django/channels#"

REPORTS = [
    (f"{CHANNELS}2195", ROUTE, "ValueError: No route found for path ''."),
    ("narrowfail/django-channels-chat#46", ROUTE, "ValueError: No route found for path 'ws'."),
    (f"{CHANNELS}1543", ROUTE, "[Failure instance: Traceback: <class 'ValueError'>: No route found "
     "for path 'socketcluster/'."),
    (f"{CHANNELS}1490", ROUTE, "web_1        | 2020-08-31T19:26:25+00:00 ERROR ws_protocol.py:123 "
     "MainProcess.django-main-thread [Failure instance: Traceback: <class 'ValueError'>: No route "
     "found for path 'socketcluster/'."),
    (f"{CHANNELS}2119", ROUTE, "No route found for path 'mls.html'."),
    ("django/channels_redis#288", ROUTE, "Exception inside application: No route found for path "
     "'ws/undefined/'."),
    ("GibbsConsulting/django-plotly-dash#376", ROUTE, "2022-01-11 16:10:11.473 | ERROR    | "
     "daphne.server:application_checker:290 - Exception inside application: No route found for "
     "path 'dpd/ws/channel'."),
    (f"{CHANNELS}1338", ROUTE, "2019-08-19 19:34:41,126 ERROR    [Failure instance: Traceback: "
     "<class 'ValueError'>: No route found for path 'ws/chat/lobby/'."),
    (f"{CHANNELS}2147", ROUTE, "ValueError: No route found for path 'ws/chat/banana/'."),
    ("checklist.day/registry/daphne", PROTOCOL, "ValueError: No Application Configured for Scope Type "
     "'websocket'"),
    (f"{CHANNELS}1119", ASYNC, "2018-08-09 15:25:32,937 - WARNING - server - Application instance "
     "<Task pending coro=<__call__() running at /home/…/site-packages/channels/sessions.py:175> "
     "wait_for=<Future pending cb=[Task._wakeup()]>> for connection <WebSocketProtocol "
     "client=['127.0.0.1', 35996] path=b'/lead/'> took too long to shut down and was killed."),
    (f"{CHANNELS}1903", ASYNC, "2022-08-16 03:25:25,053 WARNING  Application instance <Task pending "
     "name='Task-1' coro=<ProtocolTypeRouter.__call__() running at /usr/local/…/routing.py:71> "
     "wait_for=<Future pending cb=[_chain_future.<locals>._call_check_cancel() at "
     "/usr/local/lib/python3.10/asyncio/futures.py:384, Task.task_wakeup()]>> for connection "
     "<WebRequest at 0x7f8d7e7d3190 method=POST uri=/admin/login/?next=/admin/ "
     "clientproto=HTTP/1.0> took too long to shut down and was killed."),
    (f"{CHANNELS}1908", ASYNC, "Application instance <Task pending name='Task-1' "
     "coro=<StaticFilesWrapper.__call__() running at D:\\project\\…\\staticfiles.py:44> "
     "wait_for=<Future pending cb=[Task.task_wakeup()]>> for connection <WebSocketProtocol "
     "client=['127.0.0.1', 52366] path=b'/ws/graph/'> took too long to shut down and was killed."),
    (f"{CHANNELS}1901", "lesson 9", "django.core.exceptions.SynchronousOnlyOperation: You cannot "
     "call this from an async context - use a thread or sync_to_async."),
    (f"{CHANNELS}2035", AS_ASGI, "ds-chat-chat-1   | Exception inside application: object "
     "ChatConsumer can't be used in 'await' expression"),
    (f"{CHANNELS}1077", "lesson 9", "2018-06-09 21:30:39,758 - ERROR - server - Exception inside "
     "application: object NoneType can't be used in 'await' expression    "),
    ("Conchylicultor/DeepQA#183", SETTINGS, "CommandError: You have not set ASGI_APPLICATION, which "
     "is needed to run the server."),
    ("Conchylicultor/DeepQA#173", SETTINGS, "You have not set ASGI_APPLICATION, which is needed to "
     "run the server"),
    (f"{CHANNELS}1429", SETTINGS, "django.core.exceptions.ImproperlyConfigured: Cannot import "
     "ASGI_APPLICATION module 'routing"),
    ("codingforentrepreneurs/Rapid-ChatXChannels#10", SETTINGS,
     "django.core.exceptions.ImproperlyConfigured: Cannot import ASGI_APPLICATION module "
     "'cfehome.routing'"),
    (f"{CHANNELS}1046", SETTINGS, "Cannot import ASGI_APPLICATION module"),
    ("Conchylicultor/DeepQA#206", SETTINGS, "Error：django.core.exceptions.ImproperlyConfigured: "
     "Cannot import ASGI_APPLICATION module 'chatbot_website.routing'."),
    (f"{CHANNELS}1845", NAMES, "TypeError: Group name "
     "('WyJwcmVzY3JpcHRpb25zOk5ld1ByZXNjcmlwdGlvbnNCYWRnZUNvbXBvbmVudCIsWzJdLHt9XQ') must be a "
     "valid unicode string containing only ASCII alphanumerics, hyphens, or periods."),
    (f"{CHANNELS}626", NAMES, "TypeError: Group name must be a valid unicode string containing only "
     "alphanumerics, hyphens, or periods."),
    (f"{CHANNELS}1229", NAMES, "Group name must be a valid unicode string containing only ASCII "
     "alphanumerics, hyphens, or periods."),
    (f"{CHANNELS}1020", ASYNC, "2018-04-16 18:11:19,012 - ERROR - server - Exception inside "
     "application: You cannot use AsyncToSync in the same thread as an async event loop - just "
     "await the async function directly."),
    (f"{CHANNELS}1820", DEPLOYMENT, "2022-03-03 21:04:54,257 ERROR    Exception inside application: "
     "Attempt to send on a closed protocol"),
    ("openspug/spug#758", DEPLOYMENT, "autobahn.exception.Disconnected: Attempt to send on a closed "
     "protocol"),
    ("django/daphne#187", DEPLOYMENT, "2018-05-17 20:00:20,458 CRITICAL Listen failure: Couldn't "
     "listen on 0.0.0.0:9000: [Errno 98] Address already in use."),
    ("django/daphne#445", DEPLOYMENT, "2022-10-18 10:14:36,628 CRITICAL Listen failure: Couldn't "
     "listen on any:8000: [Errno 98] Address already in use."),
    ("django/daphne#577", DEPLOYMENT, "Listen failure: Couldn't listen on 127.0.0.1:8000: [Errno 48] "
     "Address already in use."),
    (f"{CHANNELS}1129", TESTS, "ChannelLiveServerTestCase can not be used with in memory databases"),
    ("codingelle/django-whatsapp-web-clone#20", "lesson 2", "Django can only handle ASGI/HTTP "
     "connections, not websocket"),
    ("django/daphne#173", SETTINGS, "ERROR    Exception inside application: Apps aren't loaded yet."),
    (f"{CHANNELS}1426", SETTINGS, "django.core.exceptions.AppRegistryNotReady: Apps aren't loaded "
     "yet."),
    (f"{CHANNELS}1790", NAMES, "Exception inside application: 'NoneType' object has no attribute "
     "'group_add'"),
    (f"{CHANNELS}1797", NAMES, "AttributeError: 'NoneType' object has no attribute 'group_add"),
    (f"{CHANNELS}1039", LAYERS, " AttributeError: 'NoneType' object has no attribute 'group_send'"),
    (f"{CHANNELS}1184", NAMES, "No handler for message type play_message"),
    ("codalab/codabench#2539", "lesson 14", "redis.exceptions.TimeoutError: Timeout reading from "
     "redis:6379"),
    ("Open-Source-Legal/OpenContracts#1886", "lesson 14", "ERROR ... Exception inside application: "
     "Timeout reading from redis:6379"),
    ("django/channels_redis#422", "lesson 14", "redis.exceptions.TimeoutError: Timeout reading from "
     "<host>:6379"),
    ("ScanOC/trunk-player#35", LAYERS, "redis.exceptions.ConnectionError: Error 111 connecting to "
     "localhost:6379. Connection refused."),
    ("jacobian/channels-example#7", LAYERS, "ConnectionError: Error 61 connecting to localhost:6379. "
     "Connection refused."),
    ("tydom2mqtt/tydom2mqtt#288", CLIENTS, "create_connection() got an unexpected keyword argument "
     "‹ extra_headers ›"),
    ("wukan1986/ksrpc#1", CLIENTS, "TypeError: create_connection() got an unexpected keyword argument "
     "'extra_headers'"),
    ("alpacahq/alpaca-py#531", CLIENTS, "TypeError: BaseEventLoop.create_connection() got an "
     "unexpected keyword argument 'extra_headers'"),
    ("rundef/async_rithmic#5", CLIENTS, "AttributeError: 'ClientConnection' object has no attribute "
     "'open'"),
    (f"{CHANNELS}1466", DEPLOYMENT, "ERROR - server - Exception inside application: Attempt to send "
     "on a closed protocol."),
    ("openwisp/openwisp-notifications#77", DEPLOYMENT, "Mixed Content: The page at "
     "'https://URL/admin/config/' was loaded over HTTPS, but attempted to connect to the insecure "
     "WebSocket endpoint 'ws://URL/ws/notifications/'. This request has been blocked; this endpoint "
     "must be available over WSS."),
    ("wagtail/wagtail-live#143", DEPLOYMENT, "> SecurityError: Failed to construct 'WebSocket': An "
     "insecure WebSocket connection may not be initiated from a page loaded over HTTPS."),
    ("AndrewBelt/hack.chat#105", DEPLOYMENT, "VM56:35 Uncaught DOMException: Failed to construct "
     "'WebSocket': An insecure WebSocket connection may not be initiated from a page loaded over "
     "HTTPS.(…)"),
    (f"{CHANNELS}896", CONSUMERS, "disconnect() takes 1 positional argument but 2 were given"),
    ("django/daphne#181", CONSUMERS, "Exception inside application: 'WebSocketProtocol' object has no "
     "attribute 'handshake_deferred'"),
]  # fmt: skip

# What the course shows under other words, or not at all: nothing is said, rather than a wrong thing.
NOT_SHOWN = [
    (f"{CHANNELS}1735", "daphne.server - ERROR - Exception inside application: __call__() missing 1 "
     "required positional argument: 'send'"),
    ("veryacademy/YT-Django-Project-Chatroom-Getting-Started#4", "TypeError: "
     "AsyncConsumer.__call__() missing 1 required positional argument: 'send'"),
    ("django/daphne#366", "TypeError: __call__() missing 2 required positional arguments: 'receive' "
     "and 'send'"),
    ("PacktPublishing/Django-3-by-Example#61", "TypeError: object.__init__() takes exactly one "
     "argument (the instance to initialize)"),
    (f"{CHANNELS}1603", "[2020-12-30 09:38:39,090] ERROR/daphne.server: Exception inside "
     "application: __init__() takes 1 positional argument but 2 were given"),
    (f"{CHANNELS}1009", "2018-04-09 16:34:12,904 - ERROR - server - Exception inside application: "
     "dispatch() missing 1 required positional argument: 'message'"),
    (f"{CHANNELS}877", "2018-02-07 12:18:15,858 - ERROR - server - Exception inside application: "
     "There is no current event loop in thread 'ThreadPoolExecutor-0_0'."),
    ("django/daphne#404", "2022-02-04 14:49:04,388 ERROR    Exception inside application: 'module' "
     "object is not callable"),
    ("django/channels_redis#230", "ERROR    Exception inside application: Reader at end of file"),
    ("django/channels_redis#323", "TimeoutError: [Errno 110] Connection timed out"),
    ("django/channels_redis#102", "OSError: Multiple exceptions: [Errno 111] Connect call failed "
     "('::1', 6379), [Errno 111] Connect call failed ('127.0.0.1', 6379)"),
    (f"{CHANNELS}859", "RuntimeError: Task <Task pending coro=<AsyncToSync.main_wrap() running at "
     "/var/…/asgiref/sync.py:63> cb=[_run_until_complete_cb()]> got Future <Future pending> "
     "attached to a different loop"),
    (f"{CHANNELS}2049", '"group_add" is not a known member of "None"'),
    ("codingforentrepreneurs/ChatXChannels#2", "Listen failure: Couldn't listen on 127.0.0.1:8000: "
     "[WinError 10048] Only one usage of each socket address (protocol/network address/port) is "
     "normally permitted."),
    ("PacktPublishing/Django-4-by-example#54", "CRITICAL Listen failure: Couldn't listen on "
     "any:b'/code/educa/daphne.sock': Cannot acquire lock."),
    ("numbas/numbas-lti-provider#95", "CommandError: You cannot span multiple processes with the "
     "in-memory layer. Change your settings to use a cross-process channel layer."),
    ("django/channels_redis#217", "web_1      | Exception inside application: NoneType is not "
     "allowed for map key"),
    ("django/daphne#206", "AttributeError: 'NoneType' object has no attribute 'done'"),
    (f"{CHANNELS}1015", "'InMemoryChannelLayer' object has no attribute 'group_send'"),
    (f"{CHANNELS}1585", "ConnectionRefusedError: [Errno 111] Connect call failed ('127.0.0.1', 6379)"),
    ("autoscrape-labs/pydoll#55", "AttributeError: 'ClientConnection' object has no attribute "
     "'closed'"),
    ("heiko-hotz/gemini-multimodal-live-dev-guide#10", "TypeError: create_connection() got an "
     "unexpected keyword argument 'additional_headers'"),
    ("blog.gitcode.com/ac145afde6f55f3a737f35b1c6bd4d96", "TypeError: object str can't be used in "
     "'await' expression"),
    ("sivulich/mqttasgi#5", "TypeError: __call__() missing 2 required positional arguments: "
     "'receive' and 'send'"),
]  # fmt: skip
