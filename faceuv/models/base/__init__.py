"""What all methods share: contracts, frozen networks, loss terms, the base class of trainings."""

from faceuv.models.base.method import BaseMethod, LossTerms, frozen

__all__ = ["BaseMethod", "LossTerms", "frozen"]
