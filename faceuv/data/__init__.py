"""Data: synthetic faces with exact truth."""

from faceuv.data import synthetic

__all__ = ["synthetic"]
