import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UserError
from assay.training.negatives import choose, clip_of, number_for, read_negatives, share_of


def examples():
    """Nine negatives of two categories from three clips, one by a model, and one that shows objects."""
    rows = [
        {
            "image": f"{'road' if k < 3 else 'street'}/{'road' if k < 3 else 'street'}_f{k:06d}.jpg",
            "picture": f"{k}.jpg", "candidate": f"{k:012x}", "use": "negative",
            "category": "signs" if k < 6 else "trucks", "reviewer": "ann", "kind": "model" if k == 8 else "human",
        }
        for k in range(9)
    ]  # fmt: skip
    return pd.DataFrame([*rows, {**rows[0], "candidate": "f" * 12, "use": "to_annotate", "category": ""}])


def test_categories_take_turns_and_what_is_held_out_never_teaches():
    assert choose(examples(), most=4)["category"].value_counts().to_dict() == {"signs": 2, "trucks": 2}
    assert len(choose(examples(), most=100)) == 9
    kept = choose(examples(), most=100, held_out=["road"])
    assert len(kept) == 6 and not kept["image"].str.startswith("road/").any()


def test_what_another_split_holds_out_never_teaches(tmp_path):
    examples()[:9].to_csv(tmp_path / "examples.csv", index=False)  # ids of digits alone are no numbers
    found = read_negatives(tmp_path, most=50, share=None, images=91, barred={f"{k:012x}" for k in range(7)})
    assert [path.name for path in found.pictures] == ["7.jpg", "8.jpg"]


def test_a_model_says_whose_word_it_trusts(tmp_path):
    examples().to_csv(tmp_path / "examples.csv", index=False)
    found = read_negatives(tmp_path, most=50, share=None, images=91)
    assert found.pictures[0] == tmp_path / "images/0.jpg" and len(found.pictures) == 9
    assert found.about(91) == {
        "count": 9, "share": 0.09, "by_category": {"signs": 6, "trucks": 3},
        "by_kind": {"human": 8, "model": 1}, "clips": ["road", "street"],
    }  # fmt: skip


def test_a_share_that_the_reviewed_negatives_do_not_reach_is_refused(tmp_path):
    examples().to_csv(tmp_path / "examples.csv", index=False)
    assert len(read_negatives(tmp_path, most=0, share=0.05, images=76).pictures) == 4
    assert len(read_negatives(tmp_path, most=0, share=0.0, images=76).pictures) == 0
    with pytest.raises(UserError, match=r"9 reviewed negatives .* needs 19; review more"):
        read_negatives(tmp_path, most=0, share=0.2, images=76)


@given(st.floats(0, 0.5), st.integers(1, 10_000))
def test_the_number_of_a_share_makes_that_share(share, images):
    number = number_for(share, images)
    assert abs(share_of(number, images) - share) <= 0.5 / images


def test_a_mined_frame_names_its_clip():
    assert clip_of("road/road_f000012.jpg") == "road"
    assert clip_of("images/pool/bare.png") == "" and clip_of("road_f1.jpg") == ""
