"""The candidates as a page that opens by double click: what a reviewer would rather look at than a table."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from assay.files import atomic_write

_TEMPLATE = """<!doctype html><meta charset="utf-8"><title>{{ title }}</title>
<style>
 body{font:15px/1.45 system-ui,sans-serif;margin:2rem;max-width:75rem;color:#222;background:#fafafa}
 .grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.8rem}
 figure{margin:0;padding:.5rem;background:#fff;border:1px solid #ddd;border-radius:6px}
 figure.miss{border-color:#b4441f} img{width:100%;image-rendering:auto;background:#000;border-radius:3px}
 figcaption{font-size:.78rem;overflow-wrap:anywhere} b{color:#b4441f} code{background:#eee;padding:.1rem .3rem}
</style>
<h1>{{ title }}</h1>
<p>{{ summary }}</p>
<p>To decide, run <code>assay review page {{ project }}</code>, or
write a CSV with the columns <code>image,label</code> (labels: {{ labels }}) and record it:
<code>assay review record {{ project }} decisions.csv --reviewer YOUR-NAME --kind human</code></p>
<div class="grid">{% for row in rows %}
<figure class="{{ row.reason }}"><img loading="lazy" src="data:image/png;base64,{{ row.png }}" alt="{{ row.image }}">
<figcaption>{% if row.reason == "miss" %}<b>miss</b>{% else %}unsure{% endif %} ·
{{ row.predicted }} {{ "%.2f"|format(row.confidence) }}<br>label: {{ row.label or "none" }}<br>{{ row.image }}
{% if row.group_size > 1 %}<br>+ {{ row.group_size - 1 }} near-duplicates{% endif %}</figcaption></figure>{% endfor %}
</div>
"""


def write_page(
    path: Path,
    candidates: pd.DataFrame,
    load: Callable[[str], np.ndarray],
    *,
    project: str,
    labels: tuple[str, ...],
    summary: str,
) -> None:
    """Write a self-contained HTML contact sheet.

    Args:
        path: the file to write.
        candidates: the table of `rank_candidates`.
        load: image name -> uint8 (H, W, 3) RGB.
        project: the project's name, for the command a reviewer needs.
        labels: what a reviewer may answer.
        summary: one sentence under the title.
    """
    from jinja2 import Environment

    rows = [{**row, "png": _png(load(row["image"]))} for row in candidates.to_dict("records")]
    html = (
        Environment(autoescape=True)
        .from_string(_TEMPLATE)
        .render(
            title=f"{project}: {len(rows)} candidates for review",
            project=project,
            labels=", ".join(labels),
            summary=summary,
            rows=rows,
        )
    )
    with atomic_write(path) as temporary:
        temporary.write_text(html, "utf-8")


def _png(image: np.ndarray) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()
