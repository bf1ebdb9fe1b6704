"""What `assay models rollback` goes back to, what a kill leaves, and what a rebuilt registry gets back."""

import shutil
from pathlib import Path

import pytest

from assay import registry
from assay.registry import history, promotion
from assay.registry.catalog import Catalog
from tests.registry.conftest import IMAGES, make_version, store_answers
from tests.registry.test_promotion import MODEL, WHY, entries, holders


def test_a_rollback_gives_back_what_was_before_and_further_back(repository, done, refused, monkeypatch):
    for number in (2, 3, 4):
        monkeypatch.setattr(promotion, "_not_better", lambda evidence: [])
        monkeypatch.setattr(promotion, "_recall_lost", lambda evidence, guard: [])
        done("promote", f"{MODEL}/{number}", *WHY)
    assert f"{MODEL} v3 is production again" in done("rollback", MODEL, "--reason", "worse", "--by", "bob")
    assert holders() == [f"{MODEL}/3"]
    done("rollback", MODEL, "--reason", "worse still", "--by", "bob")
    assert holders() == [f"{MODEL}/2"]
    assert "nobody was production before" in refused(
        "rollback", MODEL, "--reason", "on and on", "--by", "bob"
    )
    lines = done("history", MODEL).splitlines()
    assert len(lines) == 5 and "rollback production: v3 -> v2 (resnet18_good_64): worse still" in lines[0]
    assert "promote production: nobody -> v2" in lines[-1] and "accuracy +0.2" in lines[-1]
    done("promote", f"{MODEL}/4", *WHY)
    done("rollback", MODEL, "--reason", "not that", "--by", "bob")
    assert holders() == [f"{MODEL}/2"]


def test_a_promotion_killed_before_its_move_is_completed_by_the_same_command(repository, done, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    catalog = Catalog()
    proposal = promotion.propose(
        catalog, catalog.find(f"{MODEL}/2"), "production", promotion.Guards(draws=400)
    )
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(promotion, "_move", killed)
        promotion.promote(catalog, proposal, who="ann", why="because")
    assert holders() == [] and len(entries()) == 1
    done("promote", f"{MODEL}/2", *WHY)
    assert holders() == [f"{MODEL}/2"] and len(entries()) == 1


def test_a_rollback_killed_before_its_move_is_completed_by_the_same_command(repository, done, monkeypatch):
    done("promote", f"{MODEL}/1", "--to", "mining", *WHY)
    done("promote", f"{MODEL}/2", "--to", "mining", *WHY)

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(promotion, "_move", killed)
        promotion.rollback(Catalog(), MODEL, "mining", who="ann", why="no")
    assert holders("mining") == [f"{MODEL}/2"]
    done("rollback", MODEL, "--alias", "mining", "--reason", "no", "--by", "ann")
    assert holders("mining") == [f"{MODEL}/1"] and len(entries()) == 3


def move_outside(number, alias):
    """As an export does, or a person in MLflow's pages: no entry says so."""
    from mlflow import MlflowClient

    MlflowClient(registry.connect()).set_registered_model_alias(MODEL, alias, str(number))


def test_a_rollback_undoes_the_last_move_also_where_an_export_moved_the_alias_before(repository, done):
    done("promote", f"{MODEL}/1", "--to", "candidate", *WHY)  # from 4
    move_outside(3, "candidate")
    done("promote", f"{MODEL}/2", "--to", "candidate", *WHY)
    assert f"{MODEL} v3 is candidate again" in done("rollback", MODEL, "--alias", "candidate", *WHY)
    assert f"{MODEL} v1 is candidate again" in done("rollback", MODEL, "--alias", "candidate", *WHY)
    assert f"{MODEL} v4 is candidate again" in done("rollback", MODEL, "--alias", "candidate", *WHY)
    assert len(entries()) == 5


def test_an_alias_that_was_moved_elsewhere_is_not_taken_for_an_unfinished_move(repository, done):
    done("promote", f"{MODEL}/1", "--to", "mining", *WHY)
    done("promote", f"{MODEL}/2", "--to", "mining", *WHY)
    done("rollback", MODEL, "--alias", "mining", *WHY)
    move_outside(3, "mining")
    done("rollback", MODEL, "--alias", "mining", *WHY)
    assert holders("mining") == [f"{MODEL}/1"]
    assert (entries()[-1]["from"]["version"], entries()[-1]["to"]["version"]) == (3, 1)
    move_outside(4, "mining")
    done("promote", f"{MODEL}/1", "--to", "mining", *WHY)
    assert holders("mining") == [f"{MODEL}/1"] and len(entries()) == 5


def test_a_history_that_begins_with_a_rollback_has_nothing_to_go_back_to(repository, done, refused):
    done("promote", f"{MODEL}/1", "--to", "mining", *WHY)
    done("promote", f"{MODEL}/2", "--to", "mining", *WHY)
    done("rollback", MODEL, "--alias", "mining", *WHY)
    path = Path(f"promotions/{MODEL}.jsonl")
    path.write_text(path.read_text().splitlines(keepends=True)[-1])  # a merge that lost the rest
    assert "nobody was mining before" in refused("rollback", MODEL, "--alias", "mining", *WHY)


def test_a_history_is_json_whatever_was_measured(repository):
    target = Catalog().find(f"{MODEL}/1")
    evidence = {"recall": {"pit": {"value": float("nan"), "low": float("-inf")}}}
    entry = history.entry_of(
        "promote", "mining", source=None, target=target, who="ann", why="x", evidence=evidence
    )
    assert '{"pit": {"low": null, "value": null}}' in history.append(entry).read_text()


def test_a_promoted_candidate_survives_a_rebuild_and_a_later_export_takes_its_place(
    repository, done, monkeypatch
):
    done("promote", f"{MODEL}/1", "--to", "candidate", *WHY)
    rebuilt = repository.parent / "rebuilt too"
    shutil.copytree(repository, rebuilt, ignore=shutil.ignore_patterns("mlruns"))
    monkeypatch.chdir(rebuilt)
    registry.sync([Path("build")], pyfunc=Path("pyfunc.py"))
    assert Catalog().find(f"{MODEL}@candidate").tags["model"] == "weak"
    make_version(MODEL, "newest", store_answers, wrong=range(0, IMAGES, 20))
    registry.sync([Path("build")], pyfunc=Path("pyfunc.py"))
    assert Catalog().find(f"{MODEL}@candidate").tags["model"] == "newest"


def test_a_registry_that_was_lost_gets_its_promotions_back_from_history(repository, done, monkeypatch):
    done("promote", f"{MODEL}/2", *WHY)
    rebuilt = (
        repository.parent / "rebuilt"
    )  # another folder: MLflow in this process holds the first database open
    shutil.copytree(repository, rebuilt, ignore=shutil.ignore_patterns("mlruns"))
    monkeypatch.chdir(rebuilt)
    registry.sync([Path("build")], pyfunc=Path("pyfunc.py"))
    [name] = holders()
    assert Catalog().find(name).tags["model"] == "good"


def test_a_damaged_history_is_one_line(repository, refused):
    Path("promotions").mkdir()
    Path(f"promotions/{MODEL}.jsonl").write_text("{\n")
    assert f"promotions/{MODEL}.jsonl:1: no entry of a history" in refused("history", MODEL)
