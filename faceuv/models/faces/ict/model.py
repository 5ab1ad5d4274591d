"""ICT-FaceKit Light as a face model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from faceuv.errors import AssetError
from faceuv.files.assets import Missing, find_asset, locate_asset
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.blink import BlinkingHead, check_blink
from faceuv.models.faces.ict.folder import LAYOUT, Layout, Published, read_folder
from faceuv.registry import FACE_MODELS

_AGAIN = "convert it again: faceuv convert ict FOLDER"


@FACE_MODELS.register_module(name="ICTFaceKit")
class ICTFaceKit(BlinkingHead):
    """ICT-FaceKit Light (USC Institute for Creative Technologies, MIT licence): a whole head from light-stage scans.

    29,128 vertices (26,719 before UV seams split them and a cap closed the neck), 100 identity modes, 57 expressions:
    51 of ARKit's 52 (``browInnerUp`` and ``cheekPuff`` per side; there is no ``tongueOut``), ``cheekRaiser`` and
    ``pupilDilate``. Eyes, teeth, gums, tongue, lashes and the wet layers of the eyes are parts of their own. Colours
    are painted by this library: the published model has none.

    Clone https://github.com/ICT-VGL/ICT-FaceKit and run ``faceuv convert ict ICT-FaceKit`` once; then::

        face_model = dict(type="ICTFaceKit")

    Args:
        path: the file that ``faceuv convert ict`` wrote. Without it, ``ict_facekit.safetensors`` is looked for in
            ``$FACEUV_ASSETS`` and in the user's data folder.
        tongue: a head model by name whose ``tongueOut`` is transferred as one more expression mode, such as
            ``"MakeHuman"``; the first time takes a minute, later ones read the cache.
    """

    kind = "ICT-FaceKit"
    shows_teeth = True

    def __init__(self, path: str | Path | None = None, *, tongue: str | None = None) -> None:
        path = Path(path) if path is not None else find_asset("ict_facekit")
        arrays, names, metadata = self.read(path)
        if metadata.get("type") != type(self).__name__:
            raise AssetError(
                f"{path} holds the face model {metadata.get('type')!r}, expected {type(self).__name__!r};"
                " make it with: faceuv convert ict FOLDER"
            )
        check_blink(arrays, len(arrays["mean"]), arrays["identity_basis"].shape[2], str(path), _AGAIN)
        if tongue is not None:
            from faceuv.models.faces.transfer import borrowed

            plain = FaceModel(arrays, names=names, metadata=metadata)
            more, names, metadata = borrowed(plain, FACE_MODELS.build(tongue), "tongueOut")
            arrays = {**arrays, **more}
        super().__init__(arrays, names=names, metadata=metadata)
        self.add_blink(arrays)

    @classmethod
    def missing_assets(cls, path: str | Path | None = None, *, tongue: str | None = None) -> list[Missing]:
        """The converted file, if it is not where it would be looked for."""
        return [] if path is not None or locate_asset("ict_facekit") else [Missing.asset("ict_facekit")]

    @classmethod
    def from_folder(
        cls, folder: str | Path, *, layout: Layout = LAYOUT, progress: Callable[[str], None] | None = None
    ) -> ICTFaceKit:
        """Read the published OBJ files; :meth:`save` then writes the one file for ``ICTFaceKit(path)``.

        Args:
            folder: ``FaceXModel`` of the repository, or the repository.
            layout: how many vertices, modes and so on the files must have.
            progress: called with the name of each file that is read.
        """
        return cls.from_published(read_folder(folder, layout, progress=progress))

    @classmethod
    def from_published(cls, published: Published) -> ICTFaceKit:
        """Build the model from what the published files hold."""
        from faceuv.models.faces.ict.convert import convert  # with scipy, for those who convert

        arrays, names, metadata = convert(published)
        model = cls.__new__(cls)  # the constructor reads a converted file, and there is none yet
        FaceModel.__init__(model, arrays, names=names, metadata=metadata)
        model.add_blink(arrays)
        return model
