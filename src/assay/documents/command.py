"""`assay annotate`: documents in, marks out. Heavy imports live inside, so that `assay --help` stays quick."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from assay.errors import UserError

EXPORT = "build/documents/export"


def annotate(
    source: Annotated[list[Path], typer.Argument(help="PDFs, pictures, or folders of them.")],
    *,
    output: Annotated[Path, typer.Option(help="Folder for what comes out, one folder per document.")],
    model: Annotated[
        str,
        typer.Option(help="Folder of an export, or a registered model, e.g. documents-detector@production."),
    ] = EXPORT,
    conf: Annotated[float, typer.Option(help="Boxes below this confidence are not shown.")] = 0.15,
    group_dist: Annotated[
        float, typer.Option(help="Join boxes with centres nearer than this, px of a page 1024 px long.")
    ] = 50,
    group_iou: Annotated[float, typer.Option(help="Join boxes that overlap more than this.")] = 0.2,
    codes: Annotated[
        Literal["page", "boxes", "off"],
        typer.Option(help="Decode QR codes on whole pages, in found QR boxes, or not."),
    ] = "page",
    dpi: Annotated[int, typer.Option(help="Resolution at which PDF pages are drawn.")] = 200,
    flatten: Annotated[
        bool, typer.Option("--flatten", help="Cut pages out of photos of them; PDFs stay.")
    ] = False,
    jobs: Annotated[
        int,
        typer.Option(
            help="Documents read at the same time; 0: one for each core, with 4 documents for each.", min=0
        ),
    ] = 0,
) -> None:
    """Find signatures, stamps and QR codes: JSON with raw and grouped boxes, drawn pages, an annotated PDF.

    A document that is finished is skipped the next time. If some fail the others go on; they are listed, status 1.
    """
    for option, value, low, high in (
        ("--conf", conf, 0, 1),
        ("--group-iou", group_iou, 0, 1),
        ("--group-dist", group_dist, 0, 10_000),
        ("--dpi", dpi, 36, 600),
    ):
        if not low <= value <= high:
            raise UserError(f"{option} {value:g}: expected {low} to {high}")
    from assay.documents.annotate import Opening
    from assay.documents.annotate import annotate as run
    from assay.documents.crew import Crew, members
    from assay.documents.reading import Asked
    from assay.documents.sheets import Limits
    from assay.documents.sources import sources_of
    from assay.evaluation.grouping import GroupingRule
    from assay.inspection.models import export_of
    from assay.registry.catalog import Catalog

    folder = export_of(model, Catalog())
    sources = sources_of(source, output)
    asked = Asked(confidence=conf, rule=GroupingRule(distance=group_dist, iou=group_iou), codes=codes)
    opening = Opening(folder, asked, Limits(dpi=dpi), flatten)
    count = jobs or members(len(sources))
    if count > 1:
        opening(1)  # what is wrong with the model is said once, here
    with Crew(opening, count) as crew:
        done = run(sources, output, crew)
    print(f"{output}: {len(done.done)} documents annotated, {len(done.skipped)} were there")
    for name, page, reason in done.problems:
        print(f"assay: {name}{f', page {page}' if page else ''}: {reason}", file=sys.stderr)
    if done.problems:
        failed = len({name for name, _, _ in done.problems})
        print(
            f"assay: {failed} of {len(sources)} documents have problems, see {output}/problems.csv",
            file=sys.stderr,
        )
        raise typer.Exit(1)


def page(
    *,
    service: Annotated[
        str, typer.Option(help="Where `assay serve documents` listens.")
    ] = "http://127.0.0.1:8000",
    port: Annotated[int, typer.Option(help="Port on this machine.", min=1, max=65535)] = 8502,
) -> None:
    """Open a page of the web app on this machine: drop a document, see what a running service finds in it."""
    from assay.documents.client import about_model
    from assay.pages import open_page

    # what is missing is said here, in one line
    about_model(service, token=os.environ.get("ASSAY_SERVICE_TOKEN"))
    open_page(Path(__file__).with_name("page.py"), service, port=port)
