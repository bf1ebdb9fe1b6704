"""What the service allows, from the environment; every variable begins with ASSAY_SERVICE_."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from assay.errors import UserError

PREFIX = "ASSAY_SERVICE_"


@dataclass(frozen=True)
class Settings:
    """Limits; a request beyond one gets the status in brackets. The variable of `max_pages` is ASSAY_SERVICE_MAX_PAGES.

    token: asked for as "Authorization: Bearer …"; "" = nobody is asked. [401]
    max_upload_mb: of a whole request, MB of 10^6 bytes. [413]
    max_pages: of a document that is answered at once. [413]
    max_job_pages: of a document in job mode. [413]
    max_files: of a batch. [413]
    max_side: of a picture or a drawn page, px. [413]
    max_pictures_mb: of drawn pages in one answer, MB of 10^6 bytes; pages beyond it come without a picture.
    concurrency: documents looked at at the same time. queue: more of them that may wait. [429]
    seconds: of one request, upload included. [503]
    jobs: waiting, running, or finished and not fetched yet. [429]
    keep_seconds: a finished job nobody fetches is forgotten after so long.
    dpi: at which PDF pages are drawn.
    memory_mb: of one process that draws; there are `concurrency` + 1. [413 or 422]
    """

    token: str = ""
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
    keep_seconds: int = 600
    dpi: int = 200
    memory_mb: int = 3000

    @classmethod
    def from_environment(cls, given: Mapping[str, str] | None = None) -> "Settings":
        """Read the variables that are set. Raises UserError for an unknown name or a value that is no whole number."""
        given = os.environ if given is None else given
        known = {PREFIX + field.name.upper(): field.name for field in fields(cls)}
        values: dict[str, Any] = {}
        for variable, text in given.items():
            if not variable.startswith(PREFIX):
                continue
            if variable not in known:
                raise UserError(f"{variable}: no such setting; there are {', '.join(sorted(known))}")
            name = known[variable]
            if name == "token":
                values[name] = text
                continue
            least, most = (0, 1000) if name == "queue" else (36, 600) if name == "dpi" else (1, 1_000_000)
            if not text.isdecimal() or not least <= int(text) <= most:
                raise UserError(f"{variable}={text}: expected a whole number from {least} to {most}")
            values[name] = int(text)
        return cls(**values)
