"""MLflow's records and model versions, made from bundles; nothing outside this package imports mlflow.

Everything is a function of the bundles under build/: what is missing is brought in, what is there is left
alone. A sync that was killed is mended by the next, a second one changes nothing, and a lost mlruns/ is
rebuilt.
"""

from assay.registry.runs import SyncReport, sync
from assay.registry.store import connect, model_versions, ui_command

__all__ = ["SyncReport", "connect", "model_versions", "sync", "ui_command"]
