"""The studio: a local server whose page shows faces in 3D and asks for others: ``faceuv studio``."""

from __future__ import annotations

from faceuv.studio.serving import Studio, StudioServer
from faceuv.studio.sources import FileSource, GeneratorSource, HeadSource, Source, open_source

__all__ = ["FileSource", "GeneratorSource", "HeadSource", "Source", "Studio", "StudioServer", "open_source"]
