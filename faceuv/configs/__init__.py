"""The recipes: pure Python, one per file, named for the experiment. `base/` holds what they share."""
