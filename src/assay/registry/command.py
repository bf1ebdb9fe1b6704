"""`assay models`: what is registered, what it can do, and which version is used for what."""

from pathlib import Path
from typing import Annotated, Any

import typer

from assay.errors import UserError

models = typer.Typer(help="Registered models: cards, comparisons, promotions.", no_args_is_help=True)
MLRUNS = Path("mlruns")
GUARDS = Path("conf/promotion.yaml")
Which = Annotated[
    str,
    typer.Argument(
        help="<model>, <model>@<alias>, <model>/<version>, or a tag such as resnet18_reviewed_64."
    ),
]
Reason = Annotated[str, typer.Option(help="Why; it is written to the history.")]
By = Annotated[str, typer.Option("--by", help="Who; empty = git's user.name.")]


@models.command(name="list")
def list_models(
    model: Annotated[str, typer.Argument(help="One registered model; empty = all.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Print one row per version: aliases, tag, data, main metric with its interval, speed."""
    from assay.registry.listing import rows_of, table_of

    rows = rows_of(_catalog(), model)
    if as_json:
        _print_json(rows)
    else:
        print(table_of(rows))


@models.command()
def show(
    which: Which, as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False
) -> None:
    """Print a model's card: what it is, how it was made, what was measured."""
    from assay.registry.card import make_card, markdown

    catalog = _catalog()
    card = make_card(catalog, catalog.find(which))
    if as_json:
        _print_json(card)
    else:
        print(markdown(card))


@models.command()
def compare(
    which: Which,
    reference: Annotated[
        str, typer.Argument(help="The other; empty = what is in production, else the baseline.")
    ] = "",
    metric: Annotated[
        str,
        typer.Option(
            help="accuracy; for detectors map50, map50_95 or false_positives (at equal recall);"
            " empty = the project's main metric."
        ),
    ] = "",
) -> None:
    """Compare two models on the test set both were evaluated on, from their stored predictions."""
    from assay.registry.evidence import compare_sides, side_of
    from assay.registry.promotion import said

    catalog = _catalog()
    target = catalog.find(which)
    other = catalog.find(reference) if reference else catalog.holder(target.name, "production")
    if other == target:
        raise UserError(
            f"{target.said}: compared with itself; name another version: {catalog.offered(target.name)}"
        )
    sides = (
        side_of(catalog, target),
        side_of(catalog, other) if other else side_of(catalog, target, "baseline"),
    )
    guards = _guards(metric)
    found = compare_sides(*sides, metric=metric, draws=guards.draws, seed=guards.seed)
    print("\n".join([target.said, *said(found)]))


@models.command()
def promote(
    which: Which,
    to: Annotated[
        str, typer.Option(help="production, baseline, mining, fastest, finetune or candidate.")
    ] = "production",
    reason: Reason = "",
    metric: Annotated[
        str, typer.Option(help="What must be better beyond noise; empty = the project's main metric.")
    ] = "",
    by: By = "",
) -> None:
    """Give a version an alias; production only on evidence. Without --reason it looks and moves nothing.

    Refused: a gain within noise, recall lost beyond conf/promotion.yaml, an export that is not verified, other test sets.
    """
    from assay.registry.history import person
    from assay.registry.promotion import promote as move
    from assay.registry.promotion import propose

    catalog = _catalog()
    proposal = propose(catalog, catalog.find(which), to, _guards(metric))
    for line in proposal.lines:
        print(line)
    if proposal.problems:
        raise UserError(f"{proposal.target.said} is not promoted to {to}: {'; '.join(proposal.problems)}")
    if not reason.strip():
        print(f"{proposal.target.said} may become {to}; nothing moved: say why with --reason")
        return
    path = move(catalog, proposal, who=person(by), why=reason.strip())
    was = f", instead of {proposal.holder.said}" if proposal.holder else ""
    print(f"{proposal.target.said} is {to}{was}; {path} says why: commit it")


@models.command()
def rollback(
    model: Annotated[str, typer.Argument(help="A registered model, e.g. cherry-classifier.")],
    reason: Reason,
    alias: Annotated[str, typer.Option(help="Which alias goes back.")] = "production",
    by: By = "",
) -> None:
    """Give an alias back to the version that had it before the last promotion."""
    from assay.registry.history import person
    from assay.registry.promotion import rollback as back

    if not reason.strip():
        raise UserError("--reason: empty; say why it goes back")
    target = back(_catalog(), model, alias, who=person(by), why=reason.strip())
    print(f"{target.said} is {alias} again; promotions/{model}.jsonl says why: commit it")


@models.command()
def history(
    model: Annotated[str, typer.Argument(help="A registered model, e.g. cherry-classifier.")],
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Print every move of an alias: when, who, from, to, why, on what evidence."""
    from assay.registry.history import FOLDER, read
    from assay.registry.listing import history_lines

    entries = read(model, FOLDER)
    if not entries:
        _catalog().find(model)  # says what there is
    if as_json:
        _print_json(entries)
    else:
        print("\n".join(history_lines(entries)) or f"{model}: no alias was moved yet")


def _catalog() -> Any:
    from assay.registry.catalog import Catalog

    return Catalog(MLRUNS)


def _guards(metric: str) -> Any:
    """conf/promotion.yaml, checked, with the metric asked for."""
    from pydantic import ValidationError

    from assay.config.compose import read_yaml
    from assay.config.messages import describe
    from assay.config.promotion import Promotion
    from assay.registry.promotion import Guards

    if not GUARDS.is_file():
        raise UserError(f"{GUARDS}: no such file here; run `assay` in the repository's root")
    try:
        found = Promotion.model_validate(read_yaml(GUARDS))
    except ValidationError as error:
        raise UserError(f"{GUARDS}: {describe(error, Promotion)}") from None
    return Guards(metric=metric, **found.model_dump())


def _print_json(value: Any) -> None:
    import json

    from assay.files import without_nan

    print(json.dumps(without_nan(value), indent=1, ensure_ascii=False, allow_nan=False))
