"""assay: from raw clips, scanned pages and product crops to a model that is proven, exported and registered."""
