"""The documents service: `assay serve documents`. Uploads in, marks as JSON out; nothing is kept."""
