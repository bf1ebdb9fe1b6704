from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UserError
from assay.review.apply import SECONDS_PER_DECISION, apply_decisions, sample_truth
from assay.review.decisions import Decision

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CANDIDATES = pd.DataFrame(
    [
        {"candidate": f"{i:012x}", "image": f"train/pit/{9 - i}.png", "label": "pit", "reason": "miss"}
        for i in range(4)
    ]
)


def says(number, label, kind="human", minutes=0, reviewer="ann", **more):
    return Decision(
        candidate=f"{number:012x}",
        image=f"train/pit/{9 - number}.png",
        label=label,
        reviewer=reviewer,
        kind=kind,
        at=NOON + timedelta(minutes=minutes),
        **more,
    )


def apply(*decisions, sample_data=False):
    examples, summary = apply_decisions(CANDIDATES, decisions, images=CANDIDATES, sample_data=sample_data)
    return dict(zip(examples["image"], examples["label"], strict=True)), summary


def test_the_latest_human_decision_settles_a_candidate():
    labels, summary = apply(says(0, "clean", minutes=5), says(0, "maybe", minutes=1), says(1, "pit"))
    assert labels == {"train/pit/9.png": "clean", "train/pit/8.png": "pit"}
    assert summary == {
        "candidates": 4,
        "reviewed_by_human": 2,
        "reviewed_by_model": 0,
        "settled": 2,
        "settled_by_kind": {"human": 2},
        "labels": {"clean": 1, "pit": 1},
        "relabelled": 1,
        "not_in_data": 0,
        "waiting_for_human": 2,
        "unsure": 0,
        "disputed": 0,
        "seconds_per_decision": SECONDS_PER_DECISION,
        "seconds_measured_from": 0,
        "minutes_waiting": round(2 * SECONDS_PER_DECISION / 60, 1),
    }


def test_who_is_unsure_settles_nothing_and_the_candidate_waits_on():
    labels, summary = apply(says(0, "pit"), says(0, "unsure", minutes=1), says(1, "unsure"))
    assert labels == {} and (summary["unsure"], summary["waiting_for_human"]) == (2, 4)
    # the sample's truth does not answer for a person who looked
    assert apply(says(1, "unsure"), says(1, "pit", "sample-truth"), sample_data=True)[0] == {}


def test_a_second_look_confirms_or_disputes_and_a_new_decision_ends_the_dispute():
    first, again = says(0, "pit"), says(0, "pit", reviewer="bob", minutes=1, second=True)
    assert apply(first, again)[0] == {"train/pit/9.png": "pit"}
    other = says(0, "clean", reviewer="bob", minutes=1, second=True)
    labels, summary = apply(first, other)
    assert labels == {} and (summary["disputed"], summary["waiting_for_human"]) == (1, 4)
    assert apply(first, other, says(0, "clean", minutes=2))[0] == {"train/pit/9.png": "clean"}
    assert apply(first, says(0, "clean", "model", minutes=1, second=True))[1]["disputed"] == 0


def test_what_was_looked_at_counts_before_what_was_answered_with_another():
    looked, covered = says(0, "pit"), says(0, "clean", minutes=1, covered_by="1" * 12)
    assert apply(looked, covered)[0] == {"train/pit/9.png": "pit"}
    assert apply(covered)[0] == {"train/pit/9.png": "clean"}


def test_the_cost_of_a_session_is_measured_once_there_are_answers():
    said = [says(0, "pit", minutes=m / 10, via="page") for m in range(6)]  # 6 s apart
    summary = apply(*said)[1]
    assert (summary["seconds_per_decision"], summary["seconds_measured_from"]) == (6.0, 5)
    assert summary["minutes_waiting"] == round(3 * 6 / 60, 1)


def test_a_human_beats_the_samples_truth_whenever_it_was_said():
    truth = says(0, "clean", "sample-truth", minutes=60)
    assert apply(says(0, "maybe"), truth, sample_data=True)[0] == {"train/pit/9.png": "maybe"}
    assert apply(truth, says(0, "maybe", minutes=90), sample_data=True)[0] == {"train/pit/9.png": "maybe"}


def test_a_models_answer_never_counts():
    for sample_data in (False, True):
        labels, summary = apply(says(0, "clean", "model"), sample_data=sample_data)
        assert labels == {}
        assert (summary["reviewed_by_model"], summary["settled"], summary["waiting_for_human"]) == (1, 0, 4)


def test_the_samples_truth_counts_on_sample_data_only_and_never_as_human():
    truth = says(0, "clean", "sample-truth")
    assert apply(truth)[0] == {}
    labels, summary = apply(truth, sample_data=True)
    assert labels == {"train/pit/9.png": "clean"}
    assert summary["settled_by_kind"] == {"sample-truth": 1}
    assert (summary["reviewed_by_human"], summary["waiting_for_human"]) == (0, 4)


def test_decisions_about_what_is_no_candidate_any_more_are_kept_out():
    labels, summary = apply(says(77, "clean"))
    assert labels == {} and summary["reviewed_by_human"] == summary["settled"] == 0


def test_examples_say_who_decided_and_are_sorted_by_image():
    examples, _ = apply_decisions(
        CANDIDATES,
        [says(i, "clean", reviewer=f"r{i}") for i in range(3)],
        images=CANDIDATES,
        sample_data=False,
    )
    assert examples["image"].tolist() == sorted(examples["image"])
    assert list(examples.columns) == [
        "image",
        "candidate",
        "label",
        "was",
        "reason",
        "reviewer",
        "kind",
        "at",
    ]
    assert examples["reviewer"].tolist() == ["r2", "r1", "r0"] and set(examples["was"]) == {"pit"}


def test_a_decision_outlives_its_candidacy_and_an_image_that_is_gone_is_counted():
    decisions = [says(0, "clean"), says(3, "maybe"), says(9, "pit")]
    examples, summary = apply_decisions(CANDIDATES[:1], decisions, images=CANDIDATES, sample_data=False)
    assert dict(zip(examples["label"], examples["reason"], strict=True)) == {
        "clean": "miss",
        "maybe": "decided earlier",
    }
    assert summary["not_in_data"] == 1 and summary["waiting_for_human"] == 0


def test_no_candidates_and_no_decisions_are_an_empty_table():
    for candidates in (CANDIDATES, CANDIDATES[:0]):
        examples, summary = apply_decisions(candidates, [], images=CANDIDATES, sample_data=True)
        assert len(examples) == 0 and "label" in examples and summary["waiting_for_human"] == len(candidates)


decisions = st.builds(
    says,
    st.integers(0, 5),
    st.sampled_from(["clean", "maybe", "pit"]),
    st.sampled_from(["human", "model", "sample-truth"]),
    st.integers(0, 3),
)


@given(st.lists(decisions, max_size=20), st.booleans())
def test_whatever_was_decided_the_latest_of_the_best_kind_holds(said, sample_data):
    labels, summary = apply(*said, sample_data=sample_data)
    for row in CANDIDATES.to_dict("records"):
        mine = [d for d in said if d.candidate == row["candidate"]]
        humans = [d for d in mine if d.kind == "human"]
        truths = [d for d in mine if d.kind == "sample-truth"] if sample_data else []
        counting = humans or truths
        if not counting:
            assert row["image"] not in labels
            continue
        newest = max(d.at for d in counting)
        assert labels[row["image"]] in {d.label for d in counting if d.at == newest}
    humans = {d.candidate for d in said if d.kind == "human"} & set(CANDIDATES["candidate"])
    assert summary["reviewed_by_human"] == len(humans)
    assert summary["waiting_for_human"] == len(CANDIDATES) - len(humans)


def test_the_generator_answers_for_the_candidates_it_knows(tmp_path):
    truth = tmp_path / "truth.csv"
    truth.write_text("image,truth,note\ntrain/pit/9.png,clean,flipped label\nval/pit/1.png,pit,\n")
    (answer,) = sample_truth(CANDIDATES, truth)
    assert (answer.candidate, answer.label, answer.kind) == ("0" * 12, "clean", "sample-truth")
    assert sample_truth(CANDIDATES, truth) == [answer]  # no clock in it: the same bytes every time


def test_missing_truth_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"truth\.csv: missing; .*make data"):
        sample_truth(CANDIDATES, tmp_path / "truth.csv")


def test_a_models_answer_counts_where_it_is_asked_for_and_a_human_still_beats_it():
    def settled(*decisions, **how):
        examples, summary = apply_decisions(
            CANDIDATES, decisions, images=CANDIDATES, kinds=("human", "model"), **how
        )
        return dict(zip(examples["label"], examples["kind"], strict=True)), summary

    labels, summary = settled(says(0, "clean", "model"), sample_data=False)
    assert labels == {"clean": "model"} and summary["settled_by_kind"] == {"model": 1}
    assert summary["waiting_for_human"] == 4  # it is still no person's answer
    later = says(0, "clean", "model", minutes=60)
    assert settled(says(0, "pit"), later, sample_data=False)[0] == {"pit": "human"}
    assert settled(says(0, "pit", "sample-truth", minutes=90), later, sample_data=True)[0] == {
        "clean": "model"
    }
