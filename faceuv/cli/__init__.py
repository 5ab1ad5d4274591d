"""The command line: ``faceuv …`` and ``python -m faceuv …``; ``tools/*.py`` are the same commands by file."""
