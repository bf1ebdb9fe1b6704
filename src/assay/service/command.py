"""`assay serve documents`: the service on this machine's own address."""

from typing import Annotated, Literal

import typer

CONNECTIONS = 256  # at once; the next one gets uvicorn's own 503


def serve(
    what: Annotated[Literal["documents"], typer.Argument(help="What is served.")],
    port: Annotated[int, typer.Option(help="Port on this machine.", min=1, max=65535)] = 8000,
) -> None:
    """Answer requests on http://127.0.0.1:<port>; /docs says how to ask. Limits: variables ASSAY_SERVICE_…."""
    import uvicorn

    from assay.service.app import make_app
    from assay.service.models import Models
    from assay.service.settings import Settings

    settings = Settings.from_environment()
    models = Models()
    chosen = models.current()
    if chosen is None:
        print(f"{what}: no model yet; /health says when there is one", flush=True)
    else:
        print(f"{what}: version {chosen.version}, {chosen.why}", flush=True)
    print(f"http://127.0.0.1:{port}/docs (only this machine sees it; stop it with Ctrl-C)", flush=True)
    uvicorn.run(
        make_app(settings, models, warm=True),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=5,
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=64_000,
    )
