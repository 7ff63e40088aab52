"""Content security policy: no script but the files of this site."""

RULES = (
    "default-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'"
)


def policy(get_response):
    def middleware(request):
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", RULES)
        return response

    return middleware
