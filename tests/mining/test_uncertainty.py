import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.mining.uncertainty import rank_candidates

CLASSES = ("clean", "pit")


def table(*rows):
    """Rows of (label, split, group), named by their number."""
    return pd.DataFrame(
        [
            {
                "image": f"{i:03}.png",
                "label": label,
                "split": split,
                "group": group,
                "sha256": f"{i:064x}"[::-1],
            }
            for i, (label, split, group) in enumerate(rows)
        ],
        columns=["image", "label", "split", "group", "sha256"],
    )


def rank(images, pit, *, uncertain_below=0.75, max_candidates=100):
    pit = np.asarray(pit, float)
    return rank_candidates(
        images,
        np.stack([1 - pit, pit], axis=1).reshape(-1, 2),
        CLASSES,
        uncertain_below=uncertain_below,
        max_candidates=max_candidates,
    )


def test_a_confident_miss_comes_first_and_a_sure_hit_not_at_all():
    images = table(
        ("clean", "train", "a"),  # p(clean) = 0.9: right and sure
        ("pit", "train", "b"),  # p(pit) = 0.1: a confident miss
        ("pit", "train", "c"),  # p(pit) = 0.6: right, unsure
        ("", "pool", "d"),  # no label: unsure
        ("", "pool", "e"),  # no label: sure
    )
    found = rank(images, [0.1, 0.1, 0.6, 0.45, 0.99])
    assert found["image"].tolist() == ["001.png", "003.png", "002.png"]
    assert found["reason"].tolist() == ["miss", "uncertain", "uncertain"]
    assert found["surprise"].tolist() == pytest.approx([0.9, 0.45, 0.4])
    assert found["predicted"].tolist() == ["clean", "clean", "pit"]
    assert found["candidate"].tolist() == [images["sha256"][i][:12] for i in (1, 3, 2)]
    assert np.allclose(found[["p_clean", "p_pit"]].sum(axis=1), 1)


def test_the_bound_of_unsure_is_exclusive():
    assert len(rank(table(("", "pool", "a")), [0.75])) == 0
    assert len(rank(table(("", "pool", "a")), [0.75], uncertain_below=0.7501)) == 1


def test_of_a_group_the_most_surprising_is_shown_with_its_size():
    images = table(*[("pit", "train", "same")] * 3, ("pit", "train", "other"))
    found = rank(images, [0.4, 0.2, 0.9, 0.3])
    assert found["image"].tolist() == ["001.png", "003.png"]
    assert found["group_size"].tolist() == [3, 1]  # the sure one counts: a reviewer is told of all


def test_misses_and_unsure_ones_share_what_a_person_can_look_at():
    images = table(*[("pit", "train", f"m{i}") for i in range(9)], *[("", "pool", f"u{i}") for i in range(9)])
    found = rank(images, [0.1] * 9 + [0.5] * 9, max_candidates=6)
    assert found["reason"].value_counts().to_dict() == {"miss": 3, "uncertain": 3}
    few_unsure = rank(images[:10], [0.1] * 9 + [0.5], max_candidates=6)
    assert few_unsure["reason"].value_counts().to_dict() == {"miss": 5, "uncertain": 1}


def test_a_label_the_model_does_not_know_counts_as_none():
    found = rank(table(("maybe", "train", "a"), ("maybe", "train", "b")), [0.5, 0.99])
    assert found["image"].tolist() == ["000.png"] and found["reason"].tolist() == ["uncertain"]


def test_validation_images_are_refused():
    with pytest.raises(ValueError, match="validation images must not be mined"):
        rank(table(("pit", "train", "a"), ("pit", "val", "b")), [0.5, 0.5])


def test_nothing_to_show_is_an_empty_table_with_its_columns():
    for found in (rank(table(), []), rank(table(("pit", "train", "a")), [0.99])):
        assert len(found) == 0 and {"candidate", "surprise", "p_pit", "reason"} <= set(found.columns)


rows = st.lists(
    st.tuples(
        st.sampled_from(["clean", "pit", ""]),
        st.sampled_from(["train", "pool"]),
        st.sampled_from("abcdefgh"),
        st.floats(0, 1),
    ),
    max_size=25,
)


@given(rows=rows, bound=st.floats(0.5, 1), most=st.integers(1, 30))
def test_whatever_comes_in_the_rules_hold(rows, bound, most):
    images = table(*[row[:3] for row in rows])
    pit = np.array([row[3] for row in rows])
    found = rank(images, pit, uncertain_below=bound, max_candidates=most)
    assert len(found) <= most
    assert found["group"].is_unique and found["candidate"].is_unique
    order = list(zip(-found["surprise"], found["image"], strict=True))
    assert order == sorted(order)
    given_rows = images.set_index("image")
    for row in found.to_dict("records"):
        missed = row["label"] != "" and row["label"] != row["predicted"]
        assert row["reason"] == ("miss" if missed else "uncertain")
        assert missed or row["confidence"] < bound
        same = given_rows["group"] == row["group"]
        assert row["group_size"] == same.sum()
    every = rank(images, pit, uncertain_below=bound, max_candidates=10**6)
    assert set(found["image"]) <= set(every["image"])
    if most >= len(every):
        pd.testing.assert_frame_equal(found, every)
    worth = {
        row[2]
        for row, p in zip(rows, pit, strict=True)
        if max(p, 1 - p) < bound or (row[0] and row[0] != CLASSES[int(np.argmax([1 - p, p]))])
    }
    assert set(every["group"]) == worth  # no group that is worth a look is lost


@given(rows=rows, seed=st.integers(0, 1000))
def test_the_order_of_the_rows_changes_nothing(rows, seed):
    images = table(*[row[:3] for row in rows])
    pit = np.array([row[3] for row in rows])
    mixed = np.random.default_rng(seed).permutation(len(rows))
    pd.testing.assert_frame_equal(
        rank(images, pit, max_candidates=5),
        rank(images.iloc[mixed].reset_index(drop=True), pit[mixed], max_candidates=5),
    )
