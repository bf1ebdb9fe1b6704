"""Networks: where their weights come from, how they are built, saved, loaded and asked."""
