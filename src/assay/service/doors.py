"""Who is let in: whoever asks for the service by its own name, and no page of another site."""

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from assay.service.problems import Problem

HERE = ("127.0.0.1", "localhost", "::1")


class Doors:
    """ASGI middleware: 403 for a Host that is not in `names` or `HERE`, and for an Origin other than that Host.

    A browser on this machine shows pages of other sites. One may let its own name point to this address (DNS rebinding),
    or post to it directly; the first has a foreign Host, the second a foreign Origin.
    """

    def __init__(self, app: Any, names: Collection[str] = ()) -> None:
        self.app, self.names = app, {*HERE, *names}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host, origin = headers.get("host", "").lower(), headers.get("origin")
            refusal = None
            if _name(host) not in self.names:
                refusal = (
                    "asked for by a name that is not this service's; ASSAY_SERVICE_HOSTS takes more names"
                )
            elif origin is not None and origin.lower().partition("://")[2] != host:
                refusal = "asked by a page of another site"
            if refusal:
                await Problem(403, refusal).response()(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
