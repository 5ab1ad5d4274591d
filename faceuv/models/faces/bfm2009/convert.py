"""From the files a user holds to the arrays of a face model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.files.artefacts import sha256_of
from faceuv.models.faces.bfm2009.chart import CYLINDRICAL, cylindrical_uv, folded_faces, read_uv
from faceuv.models.faces.bfm2009.layouts import Crop, read_front, read_raw
from faceuv.models.faces.bfm2009.matfile import Array
from faceuv.models.faces.bfm2009.sources import BASEL, BFM_SIZES, FRONT, UV, BFMSizes
from faceuv.models.faces.bfm2009.surface import check_frame, is_inside_out, mirror_map

LICENCE = "Basel Face Model 2009: research use only, not to be redistributed; see https://faces.dmi.unibas.ch/bfm/"


def convert(
    *,
    front: str | Path | None = None,
    raw: str | Path | None = None,
    uv: str | Path | None = None,
    indices: str | Path | None = None,
    sizes: BFMSizes = BFM_SIZES,
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Arrays and metadata of a face model from BFM's files; see :meth:`BFM2009.from_files` for the arguments."""
    if (front is None) == (raw is None):
        raise InputError("give either front=, a BFM_model_front.mat, or raw=, the folder of 01_MorphableModel.mat")
    if uv is None:
        raise InputError(
            f"a UV file is needed: {UV.what}; {UV.where}. Without one, uv={CYLINDRICAL!r}"
            f" (--uv {CYLINDRICAL}) unwraps the mean face by formula"
        )
    crop = read_front(Path(front), sizes) if front is not None else read_raw(Path(str(raw)), sizes)
    check_frame(crop.files[0], crop.mean, crop.landmarks, FRONT if front is not None else BASEL)
    mean = crop.mean - crop.mean.mean(0)
    flipped = is_inside_out(mean, crop.faces)
    faces = crop.faces[:, ::-1] if flipped else crop.faces
    if str(uv) == CYLINDRICAL:
        chart, files = cylindrical_uv(mean), crop.files
    else:
        folder = Path(indices) if indices is not None else crop.files[0].parent
        chart, files = read_uv(Path(uv), folder, crop.landmarks, sizes), (*crop.files, Path(uv))
    metadata = {
        "source": "Basel Face Model 2009, expression basis of Guo et al., frontal crop of Deng et al.",
        "licence": LICENCE,
        "layout": "front" if front is not None else "raw",
        "uv": CYLINDRICAL if str(uv) == CYLINDRICAL else "file",
        "uv_folded_faces": folded_faces(chart, faces),
        "faces_flipped": flipped,
        "parents": {path.name: sha256_of(path) for path in files},
    }
    return _arrays(crop, mean, faces, chart), metadata


def _arrays(crop: Crop, mean: Array, faces: Array, chart: Array) -> dict[str, Tensor]:
    floats = {
        "mean": mean,
        "identity_basis": crop.identity_basis,
        "expression_basis": crop.expression_basis,
        "mean_albedo": crop.mean_albedo,
        "albedo_basis": crop.albedo_basis,
        "uv": chart,
    }
    integers = {"faces": faces, "landmarks": crop.landmarks, "mirror": mirror_map(mean, crop.landmarks)}
    return {
        **{name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in floats.items()},
        **{name: torch.from_numpy(np.array(value, dtype=np.int64)) for name, value in integers.items()},
        "skin_mask": torch.from_numpy(crop.skin_mask.copy()),
    }
