"""Refusals as RFC 9457 problem details: what is wrong and how to mend it, and nothing about the host."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it that
    """An answer other than success. detail: for the caller's eyes; headers: such as Retry-After."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The members type, title, status and detail."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }

    def response(self) -> JSONResponse:
        """The HTTP answer."""
        return JSONResponse(self.body(), self.status, self.headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every error of the app end in a problem body."""

    async def problem(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)  # noqa: S101 - it is registered for no other
        return error.response()

    async def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101
        return Problem(error.status_code, HTTPStatus(error.status_code).phrase, error.headers).response()

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        where = [f"{'.'.join(map(str, part['loc'][1:]))}: {part['msg']}" for part in error.errors()]
        return Problem(422, "; ".join(where)[:500]).response()

    async def unexpected(_: Request, error: Exception) -> JSONResponse:
        return Problem(500, "something went wrong here; the log says what").response()

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unexpected)
