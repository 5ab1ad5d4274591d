"""The files of BFM 2009: their sizes, where to get each, and the error for a missing one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faceuv.errors import AssetError


@dataclass(frozen=True)
class BFMSizes:
    """Sizes of the arrays in the files; the defaults are BFM 2009's own. Every array is checked against them.

    Vertices are counted three times: the full Basel head, the head without the inner mouth on which Guo et al. built
    their expression basis, and the frontal crop of Deng et al., which is a part of the second.
    """

    full_vertices: int = 53_490
    expression_vertices: int = 53_215
    vertices: int = 35_709
    faces: int = 70_789
    full_modes: int = 199
    full_expression_modes: int = 79
    identity: int = 80
    expression: int = 64
    albedo: int = 80


BFM_SIZES = BFMSizes()


@dataclass(frozen=True)
class Source:
    """What a file is and where a user gets it."""

    what: str
    where: str

    def error(self, path: Path, problem: str) -> AssetError:
        """An error that names the file, the problem, and where a right file comes from."""
        return AssetError(f"{path}: {problem}. {path.name} should be {self.what}; {self.where}")


_DENG = "it lies in the folder BFM of https://github.com/microsoft/Deep3DFaceReconstruction"
BASEL = Source("the Basel Face Model 2009 (MATLAB v5)", "register for it at https://faces.dmi.unibas.ch/bfm/")
GUO = Source("the expression basis of Guo et al.", "download CoarseData, linked from https://github.com/Juyong/3DFace")
GUO_SIGMA = Source("the standard deviations of the expression basis of Guo et al.", _DENG)
INDICES = Source("an index file of the frontal crop by Deng et al.", _DENG)
FACE_INFO = Source("the triangles, landmarks and skin mask of the frontal crop by Deng et al.", _DENG)
FRONT = Source(
    "the converted frontal crop of Deng et al.",
    "make it with the script of https://github.com/microsoft/Deep3DFaceReconstruction, or give faceuv the raw files"
    " (--raw) after registering at https://faces.dmi.unibas.ch/bfm/",
)
UV = Source(
    "the UV coordinates of BFM's vertices, v up (key UV or UV_refine)",
    "the chart of Bas et al. is util/BFM_UV.mat of https://github.com/anilbas/3DMMasSTN",
)
