"""What a request brings: bytes, never more than allowed, and no name of a file is ever used."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from assay.service.problems import Problem

_Message = MutableMapping[str, Any]
_LINGER = 2.0  # seconds
_FIELDS = 20  # of a form; the service reads none of them

SCHEMA = {  # the request body, for the OpenAPI page
    "requestBody": {
        "required": True,
        "content": {
            "application/pdf": {"schema": {"type": "string", "format": "binary"}},
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {"type": "object", "additionalProperties": {"type": "string", "format": "binary"}}
            },
        },
    }
}


class BodyLimit:
    """ASGI middleware: a body that is too long ends in 413, at once where it says its length, else when it is."""

    def __init__(self, app: Any, limit: int) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: _Message, receive: Callable[[], Awaitable[_Message]], send: Any) -> None:
        """Pass the request on, counting."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        too_long = Problem(413, f"more than {self.limit / 1e6:g} MB", {"Connection": "close"})
        said = dict(scope["headers"]).get(b"content-length", b"")
        if said.isdigit() and int(said[:20]) > self.limit:
            await self._let_pass(receive)
            await too_long.response()(scope, receive, send)
            return
        read = 0

        async def counted() -> _Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.limit:
                await self._let_pass(receive)
                raise too_long
            return message

        await self.app(scope, counted, send)

    async def _let_pass(self, receive: Callable[[], Awaitable[_Message]]) -> None:
        """Throw away what still comes, for a while: a connection closed on it would be reset, the answer with it."""
        read = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while read < 4 * self.limit:
                    message = await receive()
                    read += len(message.get("body", b""))
                    if not message.get("more_body"):
                        return


async def uploaded(request: Request, *, most: int, deadline: float) -> list[bytes]:
    """The files of a form in their order, or the whole body as one.

    Raises Problem: 413 more than `most` files, 422 no file or a broken form, 503 not here by `deadline`.
    """
    try:
        async with asyncio.timeout(max(deadline - time.monotonic(), 0.001)):
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "multipart/form-data":
                return [await request.body()]
            return await _files(request, most)
    except TimeoutError:
        raise Problem(503, "the upload took too long", {"Connection": "close"}) from None
    except ClientDisconnect:
        raise Problem(422, "the upload broke off") from None


async def _files(request: Request, most: int) -> list[bytes]:
    try:
        async with request.form(max_files=most + 1, max_fields=_FIELDS) as form:
            files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
            if len(files) > most:
                raise Problem(413, f"{len(files)} files; the limit is {most}")
            if not files:
                raise Problem(422, "the form holds no file")
            return [await file.read() for file in files]
    except HTTPException as error:
        if "Too many files" in str(error.detail):
            raise Problem(413, f"too many files; the limit is {most}") from None
        raise Problem(422, "the form can't be read: it is not what multipart/form-data looks like") from None
    except (UnicodeError, ValueError, LookupError) as error:  # the parser lets charset mistakes through
        raise Problem(422, "the form can't be read: its names are in no known encoding") from error
