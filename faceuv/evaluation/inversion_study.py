"""Inversions by one protocol: pictures of drawn faces whose truth is known, and a hidden view of each from its other
side. There the found face has the true angles, and has moved from its place as the true one has."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.errors import InputError
from faceuv.evaluation.face_truth import face_region
from faceuv.evaluation.hidden_views import seen_and_unseen
from faceuv.evaluation.identity import IdentityFeatures, similarity
from faceuv.evaluation.reconstruction import reconstruction_errors
from faceuv.geometry.normals import vertex_normals
from faceuv.models.base.contracts import Inverter
from faceuv.models.faces import FaceRenderer
from faceuv.models.faces.region import face_weight
from faceuv.models.inversion.generator import built_inverter, invert_with
from faceuv.models.inversion.inverted import InvertedFace
from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator
from faceuv.renderers.compositing import composite
from faceuv.renderers.masks import mask_in_view
from faceuv.structures import Coefficients
from faceuv.synthetic.generator import ProceduralGenerator
from faceuv.synthetic.scene import Scene
from faceuv.synthetic.truth import truth_of

COLUMNS = {
    "mae": "the picture: mean absolute difference of the render over the face",
    "psnr": "likewise, dB",
    "ssim": "likewise, true SSIM: 1 for equal pictures, 0 for unrelated ones",
    "perceptual": "likewise, in the space that the table names",
    "hidden_mae": "the hidden view: mean absolute difference over the face",
    "hidden_psnr": "likewise, dB",
    "hidden_ssim": "likewise, true SSIM",
    "hidden_perceptual": "likewise",
    "hidden_seen": "of the hidden view, mean absolute difference where it shows texels that the picture showed",
    "hidden_unseen": "likewise where it shows others",
    "identity": "likeness of the render, laid over the picture, to the picture: cosine in the identity network",
    "hidden_identity": "likewise of the hidden view's render, laid over the hidden picture, to the picture",
    "picture_mae": "the whole picture: mean absolute difference of the generator's own picture of the code",
    "shape_mm": "mean distance of the face's vertices in the object frame",
    "normal_deg": "mean angle of their normals",
    "yaw_deg": "absolute error of the yaw",
    "seconds": "processor time of one picture",
}
_YAW_NUMBER = 0  # the column of a scene's pose numbers that turns the head; its sign is the side
_LEAST_TURN = 1.0  # the hidden view's pose number is this at least, in standard deviations


@dataclass(frozen=True, eq=False)
class Cases:
    """B drawn faces: ``picture`` and ``hidden (B, 3, S, S)``, where the bare face is in each, ``mask`` and
    ``hidden_mask (B, 1, S, S)``, which share of each hidden pixel the picture showed, ``seen``, and the true
    coefficients of both."""

    picture: Tensor
    hidden: Tensor
    mask: Tensor
    hidden_mask: Tensor
    seen: Tensor
    true: Coefficients
    hidden_true: Coefficients

    def __len__(self) -> int:
        return len(self.picture)


@torch.no_grad()
def drawn_cases(world: ProceduralGenerator, count: int, *, seed: int, truncation: float = 1.0) -> Cases:
    """Faces of the procedural world, and each one turned to its other side under the same light."""
    rng = torch.Generator().manual_seed(seed)
    codes = world.sample_codes(count, truncation=truncation, generator=rng)
    scene, studio = world.scene(codes), world.studio
    pose = scene.numbers["pose"].clone()
    number = pose[:, _YAW_NUMBER]
    pose[:, _YAW_NUMBER] = -torch.where(number < 0, -1.0, 1.0) * number.abs().clamp_min(_LEAST_TURN)
    first, second = studio(scene), studio(Scene({**scene.numbers, "pose": pose}, scene.noise))
    renderer = FaceRenderer(studio.face_model, studio.renderer, normals="map")
    region = face_region(studio.face_model, studio.texture_size)
    shown = truth_of(studio, first, ("visibility",))["visibility"]
    masks = []
    for drawn in (first, second):
        uv = renderer(drawn.coefficients, drawn.maps, size=studio.size).uv
        masks.append(drawn.mask * (mask_in_view(region.expand(count, -1, -1, -1), uv) > 0.95))
        seen = mask_in_view(shown, uv)  # of the second, the last one
    return Cases(first.image, second.image, masks[0], masks[1], seen, first.coefficients, second.coefficients)


class InversionStudy:
    """Measures inverters on :class:`Cases`.

    Args:
        generator: of faces; all inverters are for it.
        cases: the faces.
        losses: name → loss with ``per_image``, such as ``perceptual``.
        identity: features that tell persons apart; of a network that the inverters were not trained with.
    """

    def __init__(
        self,
        generator: StyleFaceUVGenerator,
        cases: Cases,
        losses: Mapping[str, Any] | None = None,
        identity: IdentityFeatures | None = None,
    ) -> None:
        if cases.true.layout != generator.face_model.layout:
            raise InputError(
                f"the faces have coefficients {cases.true.layout.groups}, the generator's face model"
                f" {generator.face_model.layout.groups}: draw the faces with the generator's face model"
            )
        self.generator, self.cases, self.losses = generator, cases, dict(losses or {})
        self.renderer = FaceRenderer(generator.face_model, generator.renderer, normals="map")
        self.weight = face_weight(generator.face_model) > 0
        self.identity = identity
        self.persons = None if identity is None else identity(cases.picture)

    def likeness(self) -> dict[str, float]:
        """What the identity network says of the true hidden views: ``same``, the mean cosine of a picture and its own
        hidden view; ``others``, of a picture and those of others; ``found``, the share of pictures to which their own
        hidden view is the most alike."""
        assert self.identity is not None and self.persons is not None
        table = F.normalize(self.persons, dim=1) @ F.normalize(self.identity(self.cases.hidden), dim=1).T
        known = torch.isfinite(table.diagonal())
        own = torch.eye(len(table), dtype=torch.bool, device=table.device)
        others = table[~own & torch.isfinite(table)]
        best = table.nan_to_num(-2.0).argmax(1) == torch.arange(len(table), device=table.device)
        same = table.diagonal()[known]
        return {
            "same": float(same.mean()),
            "others": float(others.mean()),
            "spread": float(others.std()),
            "found": float(best[known].float().mean()),
            "faces": float(known.sum()),
        }

    def measure(self, inverter: Mapping[str, Any] | Inverter) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Name → ``(B,)`` of :data:`COLUMNS`, NaN for a face that could not be inverted; and the pictures, ``render``
        and ``hidden (B, 3, S, S)``."""
        made = inverter if isinstance(inverter, Inverter) else built_inverter(self.generator, inverter)
        start = time.process_time()
        faces, _ = invert_with(self.generator, made, self.cases.picture)
        seconds = (time.process_time() - start) / len(self.cases)
        with torch.no_grad():
            rows = [self._row(k, face, seconds) for k, face in enumerate(faces)]
        names = rows[0][0]
        table = {name: torch.tensor([row[name] for row, _ in rows]) for name in names}
        return table, {name: torch.stack([shown[name] for _, shown in rows]) for name in ("render", "hidden")}

    def _row(self, k: int, face: InvertedFace | None, seconds: float) -> tuple[dict[str, float], dict[str, Tensor]]:
        cases, one = self.cases, slice(k, k + 1)
        names = [
            name
            for name in COLUMNS
            if ("perceptual" not in name or "perceptual" in self.losses)
            and ("identity" not in name or self.identity is not None)
        ]
        if face is None:
            empty = torch.zeros_like(cases.picture[k])
            return dict.fromkeys(names, float("nan")), {"render": empty, "hidden": empty}
        maps, size = face.maps, cases.picture.shape[-1]
        true, there = cases.true[one], cases.hidden_true[one]
        # a picture does not tell a large head from a near one: the found head moves from its own place as the true does
        moved = face.coefficients.translation + there.translation - true.translation
        turned = face.coefficients.replace(rotation=there.rotation, translation=moved)
        views = [self.renderer(c, maps, size=size) for c in (face.coefficients, turned)]
        here, hidden = (view.image.clamp(0, 1) for view in views)
        found: dict[str, float] = {}
        for prefix, image, target, mask in (
            ("", here, cases.picture[one], cases.mask[one]),
            ("hidden_", hidden, cases.hidden[one], cases.hidden_mask[one]),
        ):
            for name, value in reconstruction_errors(image, target, mask, self.losses).items():
                found[f"{prefix}{'mae' if name == 'l1' else name}"] = float(value)
        apart = seen_and_unseen(hidden, cases.hidden[one], cases.hidden_mask[one], cases.seen[one])
        found |= {f"hidden_{name}": float(value) for name, value in apart.items()}
        if self.identity is not None and self.persons is not None:
            for prefix, view, under in (("", views[0], cases.picture), ("hidden_", views[1], cases.hidden)):
                laid = composite(view.image, view.mask, under[one]).clamp(0, 1)
                found[f"{prefix}identity"] = float(similarity(self.identity(laid), self.persons[one]))
        found["picture_mae"] = float((face.generator.image(face.code) - cases.picture[one]).abs().mean())
        model = self.generator.face_model
        shapes = [model.shape(c.identity, c.expression) for c in (face.coefficients, true)]
        found["shape_mm"] = float((shapes[0] - shapes[1]).norm(dim=2)[:, self.weight].mean() * 100)
        normals = [vertex_normals(shape, model.faces, model.weld)[:, self.weight] for shape in shapes]
        found["normal_deg"] = float((normals[0] * normals[1]).sum(2).clamp(-1, 1).acos().rad2deg().mean())
        found["yaw_deg"] = float((face.coefficients.rotation - true.rotation)[0, 1].abs().rad2deg())
        found["seconds"] = seconds
        return {name: found[name] for name in names}, {"render": here[0], "hidden": hidden[0]}


def summary(table: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
    """Name → ``mean``, ``error`` (standard error) and ``faces``, over the faces where it is known."""
    found = {}
    for name, values in table.items():
        known = values[torch.isfinite(values)].double()
        error = float(known.std() / len(known) ** 0.5) if len(known) > 1 else float("nan")
        found[name] = {"mean": float(known.mean()), "error": error, "faces": len(known)}
    return found


def reduction(better: Mapping[str, Any], bare: Mapping[str, Any], name: str) -> float:
    """By how many percent the mean of ``name`` is lower."""
    return 100 * (1 - float(better[name]["mean"]) / float(bare[name]["mean"]))


def study_table(found: Mapping[str, Mapping[str, Any]], names: Sequence[str] | None = None) -> str:
    """A Markdown table: a row per subject, a column per measure."""
    names = list(names or [name for name in COLUMNS if any(name in rows for rows in found.values())])
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for subject, rows in found.items():
        cells = [_cell(rows[name]) if name in rows else "–" for name in names]
        lines.append(f"| {subject} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(row: Mapping[str, float]) -> str:
    if row["error"] != row["error"] or row["error"] == 0:
        return f"{row['mean']:.3g}"
    return f"{row['mean']:.3g} ± {row['error']:.1g}"
