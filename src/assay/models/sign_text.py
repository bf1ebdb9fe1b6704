"""From the text of a sign to whether it is a work zone's: by phrases, or by letter groups learnt from signs."""

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from numpy.typing import NDArray

LETTERS_SEEN = (2, 4)  # letters of a group, shortest and longest
_STRENGTH = 10.0  # inverse of the regression's penalty: a few dozen signs, nearly clean texts
_EDGE = 1e-6


def plain(text: str) -> str:
    """Lower-case letters and digits alone: readers disagree about blanks."""
    return "".join(character for character in text.lower() if character.isalnum())


def likeness(text: str, phrase: str) -> float:
    """How much of `phrase` stands in `text`, nearly spelt: the best ratio (difflib, 0-1) with a part as long."""
    whole, wanted = plain(text), plain(phrase)
    if wanted in whole:
        return 1.0
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    best = 0.0
    for start in range(max(len(whole) - len(wanted), 0) + 1):
        matcher.set_seq1(whole[start : start + len(wanted)])
        if matcher.quick_ratio() > best:
            best = max(best, matcher.ratio())
    return best


def by_phrases(texts: Sequence[str], phrases: Sequence[str], *, at_least: float) -> NDArray[np.float64]:
    """(N,) 0-1: above .5 where a phrase stands in the text with a likeness of `at_least` or more; 0 without text."""
    best = np.array(
        [max(likeness(text, phrase) for phrase in phrases) if plain(text) else 0.0 for text in texts]
    )
    above = 0.5 + 0.5 * (best - at_least + _EDGE) / (1 - at_least + _EDGE)
    return np.where(best >= at_least, above, 0.5 * best / max(at_least, _EDGE)).clip(0, 1)


def learn_letters(texts: Sequence[str], positive: Sequence[bool]) -> dict[str, Any]:
    """Logistic regression on TF-IDF of letter groups (scikit-learn), as numbers that JSON holds.

    Args:
        texts: N; those without a letter teach nothing and are left out.
        positive: whether each is a work zone's.

    Raises:
        ValueError: one kind has no text.
    """
    from sklearn.linear_model import LogisticRegression

    kept = [(text, bool(said)) for text, said in zip(texts, positive, strict=True) if plain(text)]
    if len({said for _, said in kept}) < 2:
        raise ValueError("both kinds need a sign with a text")
    vectorizer = _vectorizer()
    matrix = vectorizer.fit_transform([text.lower() for text, _ in kept])
    model = LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=1000)
    model.fit(matrix, [said for _, said in kept])
    names = vectorizer.get_feature_names_out().tolist()
    return {
        "groups": names,
        "idf": vectorizer.idf_.tolist(),
        "weights": model.coef_[0].tolist(),
        "bias": float(model.intercept_[0]),
    }


def by_letters(texts: Sequence[str], learnt: Mapping[str, Any]) -> NDArray[np.float64]:
    """(N,) probabilities of a work zone's sign by what `learn_letters` returned; 0 without text."""
    vectorizer = _vectorizer(vocabulary=learnt["groups"])
    vectorizer.idf_ = np.asarray(learnt["idf"])
    matrix = vectorizer.transform([text.lower() for text in texts])
    score = matrix @ np.asarray(learnt["weights"]) + learnt["bias"]
    there = np.array([bool(plain(text)) for text in texts])
    return np.where(there, 1 / (1 + np.exp(-score)), 0.0)


def _vectorizer(vocabulary: Sequence[str] | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer="char_wb", ngram_range=LETTERS_SEEN, vocabulary=vocabulary)
