import pytest

from assay.data.document_split import hold_out, hold_out_by_size, in_order

MANY = {f"{k}.pdf": {"signature"} for k in range(20)}


@pytest.mark.parametrize(("share", "count"), [(0.1, 2), (0.25, 5), (0.0, 1), (1.0, 19)])
def test_about_the_share_at_least_one_and_never_all(share, count):
    assert len(hold_out(MANY, share, 42)) == count


def test_the_seed_decides_and_the_order_given_does_not():
    assert hold_out(MANY, 0.3, 42) == hold_out(dict(reversed(MANY.items())), 0.3, 42)
    assert hold_out(MANY, 0.3, 42) != hold_out(MANY, 0.3, 43)


def test_a_new_document_moves_at_most_one_other():
    before, after = hold_out(MANY, 0.3, 42), hold_out(MANY | {"new.pdf": {"signature"}}, 0.3, 42)
    assert len(before - after) <= 1


@pytest.mark.parametrize("seed", range(10))
def test_every_class_that_two_documents_hold_is_on_both_sides(seed):
    classes = {f"{k}.pdf": {"signature"} for k in range(12)}
    classes |= {"a.pdf": {"stamp"}, "b.pdf": {"stamp", "qr"}, "c.pdf": {"qr"}, "d.pdf": {"seal"}}
    held_out = hold_out(classes, 0.1, seed)
    seen = [set().union(*(classes[name] for name in side)) for side in (held_out, set(classes) - held_out)]
    assert seen == [{"signature", "stamp", "qr"}, {"signature", "stamp", "qr", "seal"}]
    assert len(held_out) <= 3


def test_one_document_is_for_training():
    assert hold_out({"a.pdf": {"qr"}}, 0.5, 42) == set()
    assert hold_out({}, 0.5, 42) == set()


def test_documents_without_a_class_are_held_out_too():
    assert len(hold_out({f"{k}": set() for k in range(10)}, 0.3, 42)) == 3


@pytest.mark.parametrize("seed", range(5))
def test_by_size_the_share_of_members_is_never_passed(seed):
    sizes = {"a": 12, "b": 10, "c": 3} | {f"s{k}": 1 for k in range(15)}
    held_out = hold_out_by_size(sizes, 0.25, seed)
    assert sum(sizes[group] for group in held_out) == 10


def test_by_size_one_group_is_held_out_even_where_each_is_too_large():
    assert hold_out_by_size({"a": 12, "b": 10, "c": 11}, 0.25, 0) == {"b"}
    assert hold_out_by_size({"a": 12}, 0.25, 0) == set()


def test_the_order_of_a_name_depends_on_no_other():
    order = in_order(MANY, 1)
    assert order != sorted(MANY)
    assert in_order(order[::2], 1) == order[::2]
