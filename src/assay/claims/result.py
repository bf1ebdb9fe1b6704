"""What a rule says of claims."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal[
    "consistent",
    "inconsistent",
    "collapsed",
    "no evidence",
    "not like for like",
    "biased",
    "uninformative",
    "not testable",
]
Judgement = tuple[Verdict, str, list[str]]
"""Verdict, arithmetic, and the claims it is about."""
MEANING: dict[str, str] = {
    "consistent": "what can be recomputed agrees, within what the written decimals leave open",
    "inconsistent": "two numbers, or a number and a sentence about it, do not agree",
    "collapsed": "an accuracy that is exactly the share of one class, as of a model that names that class only",
    "no evidence": "a difference that so many images cannot tell from chance",
    "not like for like": "numbers of different images, or of trainings that differ in more than what is credited",
    "biased": "measured on images that chose the model, or that it was trained on",
    "uninformative": "a number that could hardly have come out otherwise",
    "not testable": "numbers, or predictions, that the sentence needs are not given",
    "stated": "nothing to compute it from, or to compare it with",
    "evidence": "from the authors' files, data and reports, or a library: what a document's numbers are held against",
}
FINDINGS = tuple(verdict for verdict in MEANING if verdict not in ("consistent", "stated", "evidence"))
SEVERITY = {verdict: place for place, verdict in enumerate((*FINDINGS, "consistent", "stated", "evidence"))}


@dataclass(frozen=True)
class Result:
    """A rule's verdict.

    subjects: full names of the claims it is about, the first one first. text: the arithmetic. statement: the
    sentence that was judged, where there is one. set: the evaluation set it is about, where it is about a whole set.
    of_numbers: it is a verdict on the subjects, too, not only on a sentence or a set of images.
    """

    rule: str
    verdict: Verdict
    subjects: tuple[str, ...]
    text: str
    document: str
    line: int = 0
    statement: str | None = None
    set: str | None = None
    of_numbers: bool = True

    @property
    def order(self) -> tuple[int, str, tuple[str, ...]]:
        """Position in a report of the document: by line."""
        return self.line, self.rule, self.subjects
