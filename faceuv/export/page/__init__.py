"""A page that shows faces in 3D in a browser: one HTML file with a WebGL2 viewer of ours and the faces as GLB."""

from __future__ import annotations

from faceuv.export.page.building import PageFace, embedded, frame_of, page_html, save_page, viewer_size

__all__ = ["PageFace", "embedded", "frame_of", "page_html", "save_page", "viewer_size"]
