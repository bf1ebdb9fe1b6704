"""`assay inspect` and `assay page inspection`: photos in, objects and their conditions out. Heavy imports live inside."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from assay.errors import UserError

DETECTOR, CONDITIONS = "build/infrastructure/export", "build/conditions/export"
PHOTOS = Path("data/infrastructure")
_MODEL = "folder of an export, or a registered model, e.g. infrastructure-"


def inspect(
    source: Annotated[list[Path], typer.Argument(help="Photos, or folders of them.")],
    *,
    output: Annotated[Path, typer.Option(help="Folder for JSON, CSV and drawn pictures.")],
    detector: Annotated[str, typer.Option(help=f"Finds objects: {_MODEL}detector@production.")] = DETECTOR,
    conditions: Annotated[
        str, typer.Option(help=f"Judges conditions: {_MODEL}conditions@production.")
    ] = CONDITIONS,
    confidence: Annotated[
        list[str],
        typer.Option(
            "--conf",
            help="class=confidence from which its boxes count, e.g. toe_drain=0.15. May be repeated.",
        ),
    ] = [],  # noqa: B006  typer reads it, nothing changes it
    runtime: Annotated[
        str, typer.Option(help="Runs both exports: onnx, openvino_fp32 …; each that export.runtimes wrote.")
    ] = "onnx",
    pictures: Annotated[bool, typer.Option(help="Draw boxes, coloured by condition.")] = True,
) -> None:
    """Find objects and say in what condition they are: inspection.json, objects.csv, images.csv, drawn/.

    If some photos can't be inspected the others go on; they are listed, status 1.
    """
    asked = _confidences(confidence)
    from assay.documents.sources import sources_of
    from assay.inspection.batch import SUFFIXES, inspect_all
    from assay.inspection.models import export_of
    from assay.inspection.stages import Inspector
    from assay.registry.catalog import Catalog

    sources, catalog = sources_of(source, output, suffixes=SUFFIXES), Catalog()
    inspector = Inspector.load(
        export_of(detector, catalog),
        export_of(conditions, catalog),
        runtime=runtime,  # type: ignore[arg-type]  # checked there
    )
    report = inspect_all(sources, output, inspector, confidence=asked, pictures=pictures)
    counts = report["counts"]
    print(
        f"{output}: {counts['images'] - counts['failed']} photos, {counts['objects']} objects, "
        f"{counts['without_objects']} photos without any"
    )
    for one in report["images"]:
        if one["status"] == "failed":
            print(f"assay: {one['image']}: {one['problem']}", file=sys.stderr)
    if counts["failed"]:
        print(
            f"assay: {counts['failed']} of {counts['images']} photos could not be inspected, see {output}/images.csv",
            file=sys.stderr,
        )
        raise typer.Exit(1)


def page(
    *,
    detector: Annotated[str, typer.Option(help=f"Chosen at first: {_MODEL}detector@production.")] = "",
    conditions: Annotated[str, typer.Option(help=f"Chosen at first: {_MODEL}conditions@production.")] = "",
    photos: Annotated[Path, typer.Option(help="Folder of photos to pick from.")] = PHOTOS,
    port: Annotated[int, typer.Option(help="Port on this machine.", min=1, max=65535)] = 8503,
) -> None:
    """Open a page on this machine: choose models and photos, see every box and its condition, keep what was found."""
    from assay.inspection.models import choices
    from assay.pages import open_page
    from assay.registry.catalog import Catalog

    choices(Catalog(), detector=detector, conditions=conditions)  # what is missing is said here, in one line
    if photos != PHOTOS and not photos.is_dir():
        raise UserError(f"--photos {photos}: no such folder")
    open_page(Path(__file__).with_name("page.py"), detector, conditions, str(photos), port=port)


def _confidences(given: list[str]) -> dict[str, float]:
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            equals = ""
        if not equals or not name:
            raise UserError(f"--conf {text}: expected class=confidence, e.g. toe_drain=0.15")
    return found
