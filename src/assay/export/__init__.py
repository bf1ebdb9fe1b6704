"""From a trained module to files that other programs run, each checked against the module it came from."""
