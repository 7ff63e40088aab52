"""Content security policy: which scripts a page runs. From Django 6 on, take Django's own."""

import secrets

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.template.loaders import app_directories

RULES = (
    "default-src 'self'; script-src 'self' 'nonce-{}'; img-src 'self' data:; "
    "base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'"
)


def policy(get_response):
    def begin(request):
        request.csp_nonce = secrets.token_urlsafe(16)

    def end(request, response):
        response.headers.setdefault("Content-Security-Policy", RULES.format(request.csp_nonce))
        return response

    if not iscoroutinefunction(get_response):

        def middleware(request):
            begin(request)
            return end(request, get_response(request))

        return middleware

    async def middleware(request):
        begin(request)
        return end(request, await get_response(request))

    return markcoroutinefunction(middleware)


policy.async_capable = True


class Loader(app_directories.Loader):
    """Gives each script that stands in a template the nonce of the request."""

    def get_contents(self, origin):
        nonce = '<script nonce="{{ request.csp_nonce }}">'
        return super().get_contents(origin).replace("<script>", nonce)
