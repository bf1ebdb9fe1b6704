"""The HTTP side: routes, and who may use them."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from assay.config.messages import nearest
from assay.documents.drawing import Drawn
from assay.documents.reading import Asked, Codes
from assay.evaluation.grouping import GroupingRule
from assay.service.doors import Doors
from assay.service.engine import Engine, Wanted
from assay.service.jobs import Jobs
from assay.service.models import Models
from assay.service.page import described
from assay.service.problems import MEDIA_TYPE, Problem, install
from assay.service.settings import Settings
from assay.service.uploads import SCHEMA, BodyLimit, uploaded

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "content": {MEDIA_TYPE: {}}}
    for status, words in {
        401: "the token is missing or wrong",
        403: "asked for by a foreign name, or by a page of another site",
        413: "too many bytes, pages, pixels or files",
        415: "neither a PDF nor a picture",
        422: "damaged, truncated or encrypted, or a parameter unknown or out of range",
        429: "too many at once",
        503: "late, or no model",
    }.items()
}


def wanted(
    *,
    conf: Annotated[float, Query(ge=0, le=1, description="boxes below this are not shown")] = 0.15,
    group_dist: Annotated[float, Query(ge=0, le=10_000, description="px of a page 1024 px long")] = 50,
    group_iou: Annotated[float, Query(ge=0, le=1)] = 0.2,
    codes: Annotated[Codes, Query(description="where QR codes are decoded")] = "page",
    pictures: Annotated[
        bool, Query(description="every page drawn, as base64 JPEG; null where there is no room")
    ] = False,
    pdf: Annotated[
        bool, Query(description="the document with the boxes in it, as base64 PDF; null where it can't be")
    ] = False,
    drawn: Annotated[Drawn, Query(description="which boxes are drawn in pictures and PDF")] = "grouped",
    flatten: Annotated[bool, Query(description="cut the page out of a photo of it")] = False,
) -> Wanted:
    """How documents are read: the parameters every upload has."""
    rule = GroupingRule(distance=group_dist, iou=group_iou)
    return Wanted(Asked(confidence=conf, rule=rule, codes=codes), pictures, pdf, drawn, flatten)


_Wanted = Annotated[Wanted, Depends(wanted)]
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def only_known(request: Request) -> None:
    """Refuse parameters that the route's description does not have. Raises Problem 422."""
    route = request.app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
    known = [given["name"] for given in route.get("parameters", []) if given["in"] == "query"]
    for name in request.query_params:
        if name not in known:
            raise Problem(422, f"{name[:50]}: no such parameter{nearest(name, known) if known else ''}")


def make_app(settings: Settings, models: Models, *, warm: bool = False) -> FastAPI:
    """The service: GET /health, /model, /docs, /openapi.json; POST /v1/documents, /v1/batch, /v1/jobs; /v1/jobs/{id}.

    warm: start what draws with the service, not with the first document.
    """
    engine = Engine(settings, models)
    jobs = Jobs(engine)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        if warm:
            engine.drawers.start()
        forgetting = asyncio.create_task(jobs.tidy())
        yield
        forgetting.cancel()
        jobs.close()
        engine.close()

    def allowed(bearer: _Bearer) -> None:
        given = bearer.credentials if bearer else ""
        if not secrets.compare_digest(given.encode(), settings.token.encode()):
            raise Problem(401, "say who you are: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})

    app = FastAPI(
        title="assay documents",
        description="Signatures, stamps and QR codes in PDFs and pictures. Nothing is kept after the answer.",
        docs_url=None,
        redoc_url=None,
        lifespan=life,
        dependencies=[Depends(only_known)],
        responses=_PROBLEMS,
    )
    app.add_middleware(BodyLimit, limit=settings.max_upload_mb * 1_000_000)
    app.add_middleware(Doors, names=settings.hosts)
    install(app)
    guarded: dict[str, Any] = {"dependencies": [Depends(allowed)] if settings.token else []}

    @app.get("/health")
    def health() -> dict[str, Any]:
        """Whether it answers; ready: whether there is a model."""
        ready = models.current() is not None
        return {
            "status": "ok" if ready else "no model",
            "ready": ready,
            "documents": engine.inside,
            "jobs": jobs.count(),
        }

    @app.get("/model", **guarded)
    def model() -> dict[str, Any]:
        """Which model answers, and why this one."""
        chosen = models.current()
        if chosen is None:
            raise Problem(503, models.problem or "no model is ready yet", {"Retry-After": "5"})
        return chosen.said() | ({"problem": models.problem} if models.problem else {})

    @app.get("/docs", response_class=HTMLResponse)
    def docs() -> str:
        """This interface for a person."""
        return described(app.openapi())

    @app.post("/v1/documents", openapi_extra=SCHEMA, **guarded)
    async def documents(request: Request, how: _Wanted) -> dict[str, Any]:
        """Read one PDF or picture: grouped and raw boxes by page, codes, summary, timings, model version."""
        deadline = time.monotonic() + settings.seconds
        with engine.place():
            (content,) = await uploaded(request, most=1, deadline=deadline)
            return await engine.read(content, how, deadline)

    @app.post("/v1/batch", openapi_extra=SCHEMA, **guarded)
    async def batch(request: Request, how: _Wanted) -> dict[str, Any]:
        """Read several files of one form, in their order; one that can't be read has a problem instead of pages."""
        deadline = time.monotonic() + settings.seconds
        answers: list[dict[str, Any]] = []
        drawn = 0
        with engine.place():
            for content in await uploaded(request, most=settings.max_files, deadline=deadline):
                try:
                    answers.append(answer := await engine.read(content, how, deadline, drawn=drawn))
                    drawn += sum(len(page.get("picture") or "") for page in answer["pages"])
                    drawn += len(answer.get("pdf") or "")
                except Problem as problem:
                    answers.append({"problem": problem.body()})
        return {"documents": answers}

    _add_jobs(app, jobs, settings, guarded)
    return app


def _add_jobs(app: FastAPI, jobs: Jobs, settings: Settings, guarded: dict[str, Any]) -> None:
    @app.post("/v1/jobs", status_code=202, openapi_extra=SCHEMA, **guarded)
    async def begin(request: Request, response: Response, how: _Wanted) -> dict[str, Any]:
        """Begin a long document; Location says where to ask."""
        deadline = time.monotonic() + settings.seconds
        with jobs.place() as name:
            (content,) = await uploaded(request, most=1, deadline=deadline)
            told = jobs.begin(name, content, how)
        response.headers["Location"] = f"/v1/jobs/{told['id']}"
        return told

    @app.get("/v1/jobs/{name}", **guarded)
    def progress(name: str) -> dict[str, Any]:
        """How many pages are done."""
        return jobs.about(name)

    @app.get("/v1/jobs/{name}/result", **guarded)
    def result(
        name: str, keep: Annotated[bool, Query(description="do not forget it yet")] = False
    ) -> dict[str, Any]:
        """What POST /v1/documents would have answered; forgotten once it is fetched."""
        return jobs.fetch(name, keep=keep)

    @app.delete("/v1/jobs/{name}", status_code=204, **guarded)
    def forget(name: str) -> None:
        """Stop and forget a job."""
        jobs.drop(name)
