"""Topology transfer: dense correspondence between head models, and what moves through it."""

from faceuv.models.faces.transfer.correspondence import Correspondence
from faceuv.models.faces.transfer.movements import borrowed
from faceuv.models.faces.transfer.transfer import TEXTURE_SIZE, Transfer, between

__all__ = ["TEXTURE_SIZE", "Correspondence", "Transfer", "between", "borrowed"]
