"""The page a person reads after the boxes were prepared: counts, what was set aside, and crops to look at."""

import base64
from pathlib import Path
from typing import Any

import pandas as pd

from assay.files import atomic_write

_SHOWN = 8  # crops per object type and label
_LISTED = 60  # rows of a table: enough to judge by

_TEMPLATE = """<!doctype html><meta charset="utf-8"><title>Prepared conditions</title>
<style>
 body{font:15px/1.45 system-ui,sans-serif;margin:2rem;max-width:75rem;color:#222;background:#fafafa}
 table{border-collapse:collapse}td,th{padding:.15rem .6rem;border-bottom:1px solid #ddd;text-align:left}
 td.n{text-align:right;font-variant-numeric:tabular-nums} .row{display:flex;gap:.4rem;flex-wrap:wrap}
 img{height:6rem;max-width:12rem;object-fit:contain;background:#000;border-radius:3px}
</style>
<h1>Prepared conditions</h1>
<p>Data: {{ source.source }}{% if source.note %} ({{ source.note }}){% endif %}, content {{ source.content[:16] }}</p>
<table>{% for name, value in counts.items() %}
<tr><td>{{ name.replace("_", " ") }}</td><td class="n">{{ "%d"|format(value) }}</td></tr>{% endfor %}</table>
<p>A leak is a test instance whose crop or whole photo equals a training one. Groups are photos of nearly the same
view; flights are read from file names, which do not tell all.</p>
<h2>Relational features: the table's, and the same from its boxes</h2>
{% if computed %}<p>Not in conditions.csv, and computed from its boxes: {{ computed|join(", ") }}.
{% if "detector_confidence" in computed %}Confidence is 1: every box counts as found.{% endif %}</p>
{% else %}<p>The authors computed these numbers from all boxes of their detector, which are not published; recomputed
are they from the boxes of conditions.csv that the detector found. A confidence of exactly 0.5
({{ counts.detector_missed|int }} of {{ counts.instances|int }} rows) is the default of an object that the detector
missed, no measured one.</p>{% endif %}
<table><tr><th>feature</th><th>rows that differ</th><th>share</th><th>recomputed lower</th><th>higher</th>
<th>largest difference</th></tr>{% for row in relational %}
<tr><td>{{ row.feature }}</td><td class="n">{{ row.differ }}</td>
<td class="n">{{ "%.1f %%"|format(100 * row.share) }}</td>
<td class="n">{{ row.lower }}</td><td class="n">{{ row.higher }}</td>
<td class="n">{{ "%.4f"|format(row.largest) }}</td></tr>{% endfor %}</table>
<h2>Labels by object type</h2>
<table><tr><th>split</th><th>object type</th><th>condition</th><th>instances</th></tr>{% for row in balance %}
<tr><td>{{ row.split }}</td><td>{{ row.object_type }}</td><td>{{ row.condition }}</td><td class="n">{{ row.n }}</td></tr>
{% endfor %}</table>
{% if quarantine %}<h2>Set aside: {{ quarantine|length }} rows</h2>
<table>{% for row in quarantine[:listed] %}
<tr><td>{{ row.image }}</td><td>{{ row.reason }}</td></tr>{% endfor %}</table>{% endif %}
{% if conflicts %}<h2>One crop, two labels</h2>
<table>{% for names in conflicts[:listed] %}<tr><td>{{ names|join(" · ") }}</td></tr>{% endfor %}</table>{% endif %}
<h2>Crops</h2>
{% for name, pictures in sheets %}<h3>{{ name }}</h3>
<div class="row">{% for picture in pictures %}<img src="data:image/png;base64,{{ picture }}" alt="">{% endfor %}</div>
{% endfor %}"""


def write_report(path: Path, report: dict[str, Any], manifest: pd.DataFrame, folder: Path) -> None:
    """Write `report` (what prepare stores as report.json) as one HTML page with crops from `folder`."""
    from jinja2 import Environment, StrictUndefined

    kinds = ["split", "object_type", "condition"]
    balance = manifest.groupby(kinds).size().rename("n").reset_index().to_dict("records")
    sheets = [
        (f"{kind}, {label}", [_base64(folder / crop) for crop in rows["crop"].head(_SHOWN)])
        for (kind, label), rows in manifest.groupby(["object_type", "label"])
    ]
    html = (
        Environment(autoescape=True, undefined=StrictUndefined)
        .from_string(_TEMPLATE)
        .render(report, balance=balance, sheets=sheets, listed=_LISTED)
    )
    with atomic_write(path) as temporary:
        temporary.write_text(html, "utf-8")


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
