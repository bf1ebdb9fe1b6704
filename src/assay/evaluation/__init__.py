"""Predict once, score many times: predictions, metrics with intervals, comparisons, pictures, reports."""
