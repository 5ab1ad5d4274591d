"""What all methods share: contracts, frozen networks, loss terms, the base class of trainings."""

from typing import TYPE_CHECKING

from faceuv.lazy import lazily
from faceuv.models.base.fixed import frozen
from faceuv.models.base.loss_terms import LossTerms

if TYPE_CHECKING:
    from faceuv.models.base.method import BaseMethod

__all__ = ["BaseMethod", "LossTerms", "frozen"]

__getattr__ = lazily(__name__, {"BaseMethod": "faceuv.models.base.method"})
