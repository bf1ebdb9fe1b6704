"""Published numbers as data: what can be recomputed is recomputed, and every statement gets a verdict."""
