"""What the service allows, from the environment; every variable begins with ASSAY_SERVICE_."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from assay.errors import UserError

PREFIX = "ASSAY_SERVICE_"


@dataclass(frozen=True)
class Settings:
    """Limits; a request beyond one gets the status in brackets. The variable of `max_pages` is ASSAY_SERVICE_MAX_PAGES.

    token: asked for as "Authorization: Bearer …"; "" = nobody is asked. [401]
    hosts: names by which it may be asked beside 127.0.0.1, localhost and ::1; the variable has commas between them. [403]
    max_upload_mb: of a whole request, MB of 10^6 bytes. [413]
    max_pages: of a document that is answered at once. [413]
    max_job_pages: of a document in job mode. [413]
    max_files: of a batch. [413]
    max_side: of a picture or a drawn page, px. [413]
    max_pictures_mb: of drawn pages and PDFs in one answer, MB of 10^6 bytes; what is beyond it does not come.
    concurrency: documents looked at at the same time. queue: more requests that may wait or upload. [429]
    seconds: of one request, upload included. [503]
    jobs: uploading, waiting, running, or finished and not fetched yet. [429]
    job_seconds: of one job, from when it runs. [503]
    keep_seconds: a finished job nobody fetches is forgotten after so long.
    dpi: at which PDF pages are drawn.
    memory_mb: of one process that draws; there are `concurrency` + 1. [413 or 422]
    """

    token: str = ""
    hosts: tuple[str, ...] = ()
    max_upload_mb: int = 25
    max_pages: int = 30
    max_job_pages: int = 1000
    max_files: int = 20
    max_side: int = 6000
    max_pictures_mb: int = 50
    concurrency: int = 2
    queue: int = 8
    seconds: int = 60
    jobs: int = 16
    job_seconds: int = 3600
    keep_seconds: int = 600
    dpi: int = 200
    memory_mb: int = 3000

    @classmethod
    def from_environment(cls, given: Mapping[str, str] | None = None) -> "Settings":
        """Read the variables that are set. Raises UserError for an unknown name or a value that can't be used."""
        given = os.environ if given is None else given
        known = {PREFIX + field.name.upper(): field.name for field in fields(cls)}
        values: dict[str, Any] = {}
        for variable, text in given.items():
            if not variable.startswith(PREFIX):
                continue
            if variable not in known:
                raise UserError(f"{variable}: no such setting; there are {', '.join(sorted(known))}")
            name = known[variable]
            if name in _WORDS:
                values[name] = _WORDS[name](variable, text)
                continue
            least, most = (0, 1000) if name == "queue" else (36, 600) if name == "dpi" else (1, 1_000_000)
            if not text.isdecimal() or not least <= int(text) <= most:
                raise UserError(f"{variable}={text}: expected a whole number from {least} to {most}")
            values[name] = int(text)
        return cls(**values)


def _token(variable: str, text: str) -> str:
    if not text:
        raise UserError(f"{variable} is empty: give it a value, or unset it and nobody is asked for one")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise UserError(f"{variable}: expected ASCII characters without spaces, as a header can carry them")
    return text


def _hosts(variable: str, text: str) -> tuple[str, ...]:
    names = tuple(name.strip().lower() for name in text.split(","))
    if not all(re.fullmatch(r"[a-z0-9._-]+", name) for name in names):
        raise UserError(f"{variable}={text}: expected names without port, commas between: marks.example.org")
    return names


_WORDS: Mapping[str, Callable[[str, str], Any]] = {"token": _token, "hosts": _hosts}
