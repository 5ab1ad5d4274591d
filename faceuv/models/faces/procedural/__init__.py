"""A 3D morphable face by formula: sculpture in signed distances, a chart of rays, modes by differentiation."""

from faceuv.models.faces.procedural.model import ProceduralFace

__all__ = ["ProceduralFace"]
