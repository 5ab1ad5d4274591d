"""The Basel Face Model 2009 as a face model."""

from __future__ import annotations

from pathlib import Path

from faceuv.errors import AssetError
from faceuv.files.assets import Missing, find_asset, locate_asset
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.bfm2009.sources import BFM_SIZES, BFMSizes
from faceuv.registry import FACE_MODELS


@FACE_MODELS.register_module(name="BFM2009")
class BFM2009(FaceModel):
    """Basel Face Model 2009, frontal crop, with the expressions of Guo et al., from the files you hold.

    35,709 vertices, 70,789 faces, 80 identity + 64 expression + 80 albedo modes.

    Args:
        path: the file that ``faceuv convert bfm`` wrote. Without it, ``bfm2009.safetensors`` is looked for in
            ``$FACEUV_ASSETS`` and in the user's data folder.
    """

    kind = "BFM 2009"

    def __init__(self, path: str | Path | None = None) -> None:
        path = Path(path) if path is not None else find_asset("bfm2009")
        arrays, names, metadata = self.read(path)
        if metadata.get("type") != type(self).__name__:
            raise AssetError(
                f"{path} holds the face model {metadata.get('type')!r}, expected {type(self).__name__!r};"
                " make it with: faceuv convert bfm"
            )
        super().__init__(arrays, names=names, metadata=metadata)

    @classmethod
    def missing_assets(cls, path: str | Path | None = None) -> list[Missing]:
        """The converted file, if it is not where it would be looked for."""
        return [] if path is not None or locate_asset("bfm2009") else [Missing.asset("bfm2009")]

    @classmethod
    def from_files(
        cls,
        *,
        front: str | Path | None = None,
        raw: str | Path | None = None,
        uv: str | Path | None = None,
        indices: str | Path | None = None,
        sizes: BFMSizes = BFM_SIZES,
    ) -> BFM2009:
        """Read the files that users hold; :meth:`save` then writes the one file for ``BFM2009(path)``.

        Args:
            front: the converted ``BFM_model_front.mat``; or
            raw: the folder with ``01_MorphableModel.mat``, ``Exp_Pca.bin``, ``std_exp.txt``, ``facemodel_info.mat``,
                ``BFM_front_idx.mat`` and ``BFM_exp_idx.mat``.
            uv: a ``.mat`` with ``UV`` or ``UV_refine``, v up, per vertex of the crop, of the expression basis or of
                the full head; or ``"cylindrical"`` to unwrap the mean face by formula.
            indices: the folder of the two index files, which pick the crop's rows out of a larger UV file; by default
                the folder of the model.
            sizes: of the arrays in the files, for models cropped otherwise.
        """
        from faceuv.models.faces.bfm2009.convert import convert  # with scipy, for those who convert

        arrays, metadata = convert(front=front, raw=raw, uv=uv, indices=indices, sizes=sizes)
        model = cls.__new__(cls)  # the constructor reads a converted file, and there is none yet
        FaceModel.__init__(model, arrays, metadata=metadata)
        return model
