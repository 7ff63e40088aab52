import hashlib
import secrets
from datetime import timedelta
from urllib.parse import parse_qs

from channels.auth import get_user
from channels.security.websocket import WebsocketDenier
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.http import JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .models import Token

TICKET_LIFE = timedelta(seconds=30)


def digest_of(text):
    return hashlib.sha256(text.encode()).hexdigest()


def new_token(user):
    """Make a token for a user. Return its text, which nobody can see again."""
    text = secrets.token_urlsafe(32)
    Token.objects.create(user=user, digest=digest_of(text))
    return text


async def find(**fields):
    """Return the Token of an active user, or None."""
    tokens = Token.objects.select_related("user").filter(user__is_active=True)
    return await tokens.filter(**fields).afirst()


async def by_header(value):
    scheme, _, text = value.partition(" ")
    return await find(digest=digest_of(text)) if scheme.lower() == "bearer" else None


async def by_ticket(text):
    """Return the Token of a ticket, and use it up."""
    ticket = {"ticket": digest_of(text), "ticket_made__gt": timezone.now() - TICKET_LIFE}
    token = await find(**ticket)
    used = token and await Token.objects.filter(**ticket).aupdate(ticket="")
    return token if used else None


class TokenDoor:
    """Lets apps in by a token or a ticket. Whoever has neither goes to the browsers' door."""

    def __init__(self, apps, browsers):
        self.apps, self.browsers = apps, browsers

    async def __call__(self, scope, receive, send):
        header = dict(scope["headers"]).get(b"authorization")
        tickets = parse_qs(scope["query_string"].decode("latin1")).get("ticket")
        if header is not None:
            token = await by_header(header.decode("latin1"))
        elif tickets:
            token = await by_ticket(tickets[0])
        else:
            return await self.browsers(scope, receive, send)
        if token is None:
            return await WebsocketDenier()(scope, receive, send)
        scope = {**scope, "user": token.user, "token": token.pk}
        return await self.apps(scope, receive, send)


async def user_now(scope):
    """Return the user of a socket as the database has it now: AnonymousUser, if nobody."""
    if "token" in scope:
        token = await find(pk=scope["token"])
        return token.user if token else AnonymousUser()
    user, session = await get_user(scope), scope["session"]
    return user if await session.aexists(session.session_key) else AnonymousUser()


@csrf_exempt  # a token is no cookie: no browser sends it by itself
@require_POST
async def ticket(request):
    """Sell a ticket for a token. It lets in once, and soon."""
    token = await by_header(request.headers.get("Authorization", ""))
    if token is None:
        return JsonResponse({"error": "no such token"}, status=401)
    text = secrets.token_urlsafe(32)
    token.ticket, token.ticket_made = digest_of(text), timezone.now()
    await token.asave()
    return JsonResponse({"ticket": text})


@never_cache
@login_required
def page(request):
    """Make a token for a member and show it, once; or delete all that there are."""
    text, tokens = "", Token.objects.filter(user=request.user)
    if request.method == "POST" and "delete" in request.POST:
        tokens.delete()
    elif request.method == "POST":
        text = new_token(request.user)
    return render(request, "myapp/tokens.html", {"text": text, "number": tokens.count()})
