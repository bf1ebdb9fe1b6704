from pipelines.tasks import part_of, stage_of


def test_one_more_way_of_a_task_does_the_rest_as_that_task_does():
    own = {part_of("vision_language", part).__name__ for part in ("fitting", "gathering", "export")}
    assert own == {f"pipelines.vision_language.{part}" for part in ("fitting", "gathering", "export")}
    shared = ("prepare", "baseline", "mine", "review", "train", "evaluate", "scoring")
    for part in shared:
        assert part_of("vision_language", part) is part_of("condition", part)
    assert stage_of("condition", "export") is not stage_of("vision_language", "export")
