"""Made to try things. With DEBUG off, myproject/asgi.py routes none of them."""
