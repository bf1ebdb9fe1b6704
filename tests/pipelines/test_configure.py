"""What a sweep runs with when nobody asked `make sweep`."""

from pipelines.configure import sweep_request


def test_a_sweep_without_a_request_has_the_profile_of_params(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("profile: cpu\n")
    assert sweep_request("convnextv2") == {"profile": "cpu", "seeds": None, "requested": []}
    (tmp_path / "sweeps/request").mkdir(parents=True)
    asked = "profile: full\nseeds: [1]\nset: [train.epochs=2]\n"
    (tmp_path / "sweeps/request/convnextv2.yaml").write_text(asked)
    assert sweep_request("convnextv2") == {"profile": "full", "seeds": [1], "requested": ["train.epochs=2"]}
