from assay.export import latency as module
from assay.export.latency import latency


def test_warm_up_calls_are_not_counted(monkeypatch):
    clock = iter([0.0, 0.010, 1.0, 1.020, 2.0, 2.030])  # three counted calls of 10, 20 and 30 ms
    monkeypatch.setattr(module, "perf_counter", lambda: next(clock))
    calls = []
    found = latency(lambda: calls.append(1), warmup=2, runs=3)
    assert len(calls) == 5
    assert {name: round(value, 6) for name, value in found.items()} == {"median_ms": 20.0, "p95_ms": 29.0}
