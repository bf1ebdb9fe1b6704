"""Asks a running service (`assay serve documents`) about a document."""

import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from assay.errors import UserError

SECONDS = 300  # the service gives up before; this is for one that hangs
_DIRECTLY = build_opener(ProxyHandler({}))  # not to a proxy that the environment names


def ask(url: str, content: bytes, *, token: str | None = None, **how: float | str | bool) -> dict[str, Any]:
    """POST a PDF or picture to `url`/v1/documents; `how` are the service's query parameters. Returns its answer.

    Raises UserError, one line: nobody listens there, or what the service says is wrong.
    """
    asked = urlencode(
        {key: str(value).lower() if isinstance(value, bool) else value for key, value in how.items()}
    )
    return _call(Request(f"{url.rstrip('/')}/v1/documents?{asked}", content, _headers(token)), url)  # noqa: S310


def about_model(url: str, *, token: str | None = None) -> dict[str, Any]:
    """What GET `url`/model says: version, and why this one. Raises UserError as `ask` does."""
    return _call(Request(f"{url.rstrip('/')}/model", headers=_headers(token)), url)  # noqa: S310


def _headers(token: str | None) -> dict[str, str]:
    kind = {"Content-Type": "application/octet-stream"}
    return kind | ({"Authorization": f"Bearer {token}"} if token else {})


def _call(request: Request, url: str) -> dict[str, Any]:
    if not url.startswith(("http://", "https://")):
        raise UserError(f"{url}: expected an address such as http://127.0.0.1:8000")
    try:
        with _DIRECTLY.open(request, timeout=SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except HTTPError as error:
        raise UserError(_said(error)) from error
    except (URLError, OSError) as error:
        raise UserError(f"no service at {url}; start one: assay serve documents") from error


def _said(error: HTTPError) -> str:
    try:
        problem = json.load(error)
        return str(problem.get("detail") or problem["title"])
    except (ValueError, KeyError, AttributeError):
        return f"the service answers {error.code}"
