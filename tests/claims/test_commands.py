import json
from pathlib import Path


def test_findings_are_results_and_no_mistake(assay):
    status, printed, complaint = assay("claims", "check", "--document", "004")
    assert status == 0
    assert not complaint
    assert "660/1226 = 53.83 %" in printed
    assert "001" not in printed.split()


def test_json_is_for_programs(assay):
    status, printed, _ = assay("claims", "check", "--json")
    assert status == 0
    assert len(json.loads(printed)["documents"]) == 5


def test_an_unknown_document_lists_those_that_are_there(assay):
    status, _, complaint = assay("claims", "check", "--document", "005")
    assert status == 2
    assert complaint == "assay: --document 005: no such document; these are there: 000, 001, 002, 003, 004\n"


def test_a_broken_claim_file_is_one_line(assay, tmp_path, monkeypatch):
    text = Path("conf/claims/004.yaml").read_text()
    monkeypatch.chdir(tmp_path)
    Path("conf/claims").mkdir(parents=True)
    Path("conf/claims/004.yaml").write_text(text.replace("written:", "writen:", 1))
    status, printed, complaint = assay("claims", "check")
    assert (status, printed) == (2, "")
    assert complaint.count("\n") == 1
    assert "conf/claims/004.yaml" in complaint
    assert "did you mean 'written'" in complaint


def test_the_report_goes_to_results(assay, tmp_path, monkeypatch):
    source = Path("conf/claims").resolve()
    monkeypatch.chdir(tmp_path)
    Path("conf").mkdir()
    Path("conf/claims").symlink_to(source)
    status, printed, _ = assay("claims", "report")
    assert status == 0
    path, head, *documents = printed.splitlines()
    assert path == "results/claims/report.html"
    assert head.split()[:4] == ["document", "claims", "consistent", "inconsistent"]
    assert [row.split()[0] for row in documents] == ["000", "001", "002", "003", "004"]
    assert Path("results/claims/report.md").is_file()
