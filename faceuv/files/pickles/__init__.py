"""A reader of pickles that runs none of their code.

A pickle is a program: it may name any function and call it. :func:`read_pickle` interprets that program itself. It
knows numbers, texts, plain containers, numpy arrays and torch tensors. Classes of the packages that a caller lists
become inert :class:`Stub` objects that keep what was stored in them. Every other name is refused, and so is a file
that asks for more memory, depth or sharing than a file of its size needs.
"""

from __future__ import annotations

from faceuv.files.pickles.reading import read_pickle
from faceuv.files.pickles.values import Stub

__all__ = ["Stub", "read_pickle"]
