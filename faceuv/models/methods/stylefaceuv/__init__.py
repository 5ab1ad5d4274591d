"""StyleFaceUV (Chung et al., BMVC 2022): a generator of UV maps learns from a frozen teacher, two views at a time.

``guides`` gives the views of a batch, ``views`` draws them and weighs their pixels, ``method`` trains on them,
``sheets`` shows how far it is.
"""

from faceuv.models.methods.stylefaceuv.guides import Guides, Targets
from faceuv.models.methods.stylefaceuv.method import StyleFaceUV
from faceuv.models.methods.stylefaceuv.views import Shot, ViewWeights

__all__ = ["Guides", "Shot", "StyleFaceUV", "Targets", "ViewWeights"]
