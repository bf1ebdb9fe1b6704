import pytest
import yaml

from assay.claims.book import load
from assay.claims.check import check


@pytest.fixture
def book(tmp_path):
    """Make a book of one hand-made claim file, document 900."""

    def book(claims, *, statements=None, sets=None, schedules=None, document="900", **others):
        content = {"document": document, "title": "Made by hand", "name": "900.md", "project": "cherry"}
        content |= {
            "sets": sets or {},
            "schedules": schedules or {},
            "claims": claims,
            "statements": statements or {},
        }
        for name, text in {document: yaml.safe_dump(content), **others}.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return load(tmp_path)

    return book


@pytest.fixture
def verdicts(book):
    """Verdict and arithmetic of one rule, or of the one statement, on hand-made claims."""

    def verdicts(rule, claims, **others):
        return [(one.verdict, one.text) for one in check(book(claims, **others)) if one.rule == rule]

    return verdicts
