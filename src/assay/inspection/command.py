"""`assay inspect`: photos in, objects and their conditions out. Heavy imports live inside."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from assay.errors import UserError

DETECTOR, CONDITIONS = Path("build/infrastructure/export"), Path("build/conditions/export")


def inspect(
    source: Annotated[list[Path], typer.Argument(help="Photos, or folders of them.")],
    *,
    output: Annotated[Path, typer.Option(help="Folder for JSON, CSV and drawn pictures.")],
    detector: Annotated[Path, typer.Option(help="Folder of an exported detector.")] = DETECTOR,
    conditions: Annotated[
        Path, typer.Option(help="Folder of an exported condition classifier.")
    ] = CONDITIONS,
    confidence: Annotated[
        list[str],
        typer.Option(
            "--conf",
            help="class=confidence from which its boxes count, e.g. toe_drain=0.15. May be repeated.",
        ),
    ] = [],  # noqa: B006  typer reads it, nothing changes it
    pictures: Annotated[bool, typer.Option(help="Draw boxes, coloured by condition.")] = True,
) -> None:
    """Find objects and say in what condition they are: inspection.json, objects.csv, images.csv, drawn/.

    If some photos can't be inspected the others go on; they are listed, status 1.
    """
    asked = _confidences(confidence)
    if output.exists() and not output.is_dir():
        raise UserError(f"--output {output}: is a file; name a folder")
    from assay.documents.annotate import sources_of
    from assay.inspection.batch import SUFFIXES, inspect_all
    from assay.inspection.stages import Inspector

    sources = sources_of(source, output, suffixes=SUFFIXES)
    inspector = Inspector.load(detector, conditions)
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
