"""A hook of MkDocs: links that leave `docs/` are files of the repository, which the site does not hold.

There they are shown as what they are: the words, and the file's path. `tests/test_docs.py` follows every link.
"""

from __future__ import annotations

import os
import re
from typing import Any

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(((?:\.\./)+[^)#\s]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Any, **kwargs: Any) -> str:
    """Called by MkDocs for every page, before its Markdown is read."""
    return outside_links(markdown, page.file.src_uri)


def outside_links(markdown: str, page: str) -> str:
    """``markdown`` of ``page``, a path below ``docs/``, with ``[words](../LICENSE)`` as ``words (`LICENSE`)``."""

    def plain(link: re.Match[str]) -> str:
        words, target = link.groups()
        path = os.path.normpath(os.path.join("docs", os.path.dirname(page), target)).replace(os.sep, "/")
        if path.startswith("docs/"):
            return link.group()
        return words if words.strip("`") == path else f"{words} (`{path}`)"

    return _LINK.sub(plain, markdown)
