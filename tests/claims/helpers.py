def claim(written, line=1, metric="value", **others):
    """A written value as a claim file has it."""
    return {"line": line, "written": written, "metric": metric, **others}
