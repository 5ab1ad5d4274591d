"""The learned inverter: encoder, and the local branch where there is one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.fitting import Fitter
from faceuv.models.base.contracts import Inversion, Inverter
from faceuv.models.faces import FaceRenderer
from faceuv.models.inversion.encoder import PyramidEncoder, check_teacher
from faceuv.models.inversion.light import with_fitted_light
from faceuv.models.inversion.local import Detailer, LocalBranch, corrected
from faceuv.models.inversion.pictures import as_pictures, at_size, prepared
from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator
from faceuv.registry import INVERTERS
from faceuv.structures import Coefficients, UVMaps


@INVERTERS.register_module()
class EncoderInverter(Inverter):
    """One pass of the encoder, then of the local branch: ``dict(type="EncoderInverter")`` with a generator of type
    Inversion, which has both.

    ``errors["l1"]`` is the mean absolute difference of the render and the picture over the face.

    Args:
        generator: coefficients and maps of codes, and, unless they are given, ``encoder`` and ``local``.
        encoder, local: the networks; without a local branch there is no residual.
        detail: correct the maps after the picture; None: if there is a local branch.
        light: fit the light to the picture, in closed form, from that of the coefficients.
        refine: a schedule of :class:`~faceuv.fitting.Fitter`, ``"fast"``: fit the coefficients to the picture, from
            those that the encoder reads; for photographs. A picture that cannot be fitted keeps those of the encoder.
        detector: of landmarks, for ``refine``.
        batch: pictures at a time.
    """

    def __init__(
        self,
        generator: StyleFaceUVGenerator,
        *,
        encoder: PyramidEncoder | None = None,
        local: LocalBranch | None = None,
        detail: bool | None = None,
        light: bool = True,
        refine: str | None = None,
        detector: Any = "SyntheticLandmarks",
        batch: int = 16,
    ) -> None:
        if not isinstance(generator, StyleFaceUVGenerator):
            raise InputError(
                "an EncoderInverter needs a generator with coefficients and UV maps, of type Inversion or StyleFaceUV;"
                f" got a {type(generator).__name__}"
            )
        encoder = getattr(generator, "encoder", None) if encoder is None else encoder
        local = getattr(generator, "local", None) if local is None else local
        if encoder is None:
            raise InputError(
                f"{generator.name!r} has no encoder: load a generator of type Inversion, or give encoder=…"
            )
        if detail and local is None:
            raise InputError(
                f"{generator.name!r} has no local branch, so there is no detail to copy: leave detail out, or train the"
                " stage 'local' of inversion_64"
            )
        self.generator, self.encoder = generator, check_teacher(encoder, generator.teacher)
        self.local = None if detail is False else local
        self.renderer = FaceRenderer(generator.face_model, generator.renderer, normals="map")
        self.detailer = Detailer(self.renderer, generator.uv_generator.size)
        self.batch, self.light = batch, light
        self.fitter: Fitter | None = None
        if refine is not None:
            reader = _Reader(self.encoder)
            self.fitter = Fitter(generator.face_model, generator.renderer, detector, reader, schedule=refine)

    @torch.no_grad()
    def invert(self, images: Tensor, *, mask: Tensor | None = None) -> Inversion:
        """``images (B, 3, S, S)`` in [0, 1], of any size ≥ 32; ``mask (B, 1, S, S)``: pixels that show the bare face
        (no hair, no glasses), where that is known."""
        pictures, reasons = prepared(images, self.generator.size)
        full = as_pictures(images)
        device = self.generator.device
        masks = None if mask is None else at_size(mask.float().expand(-1, 3, -1, -1), self.generator.size)[:, :1]
        parts = []
        for start in range(0, len(pictures), self.batch):
            rows = slice(start, start + self.batch)
            chosen = None if masks is None else masks[rows].to(device)
            clean = torch.where(torch.isfinite(full[rows]), full[rows], 0.5)
            parts.append(self._invert(pictures[rows].to(device), clean.to(device), chosen))
        codes = torch.cat([part[0] for part in parts])
        data = torch.cat([part[1].data for part in parts])
        layout = self.generator.face_model.layout
        residual = None if self.local is None else _joined([part[2] for part in parts])
        bad = torch.tensor([bool(reason) for reason in reasons], device=codes.device)
        errors = torch.cat([part[3] for part in parts]).masked_fill(bad, torch.nan)
        return Inversion(
            codes, Coefficients(data, layout), residual, {"l1": errors}, tuple(reasons) if any(reasons) else ()
        )

    def _invert(
        self, picture: Tensor, full: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Coefficients, UVMaps | None, Tensor]:
        read = self.encoder(picture)
        coefficients = read.coefficients
        if self.fitter is not None:
            fit = self.fitter.fit(full)
            data = torch.where(fit.ok[:, None].to(coefficients.data.device), fit.coefficients.data, coefficients.data)
            coefficients = Coefficients(data, coefficients.layout)
        maps: UVMaps = self.generator.uv_generator(read.codes)
        if self.light:
            coefficients = with_fitted_light(
                self.renderer, picture, coefficients, maps, map_size=self.detailer.map_size, mask=mask
            )
        delta: UVMaps | None = None
        if self.local is not None:
            given, _, _ = self.detailer.look(picture, coefficients, maps, mask)
            delta = self.local(given)
            maps = corrected(maps, delta)
        drawn = self.renderer(coefficients, maps, size=picture.shape[-1])
        away = ((drawn.image - picture).abs().mean(1, keepdim=True) * (drawn.mask > 0.99)).flatten(1).sum(1)
        return read.codes, coefficients, delta, away / (drawn.mask > 0.99).flatten(1).sum(1)


class _Reader(nn.Module):
    """The encoder as the fitter's first guess: pictures → coefficients."""

    def __init__(self, encoder: PyramidEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Coefficients:
        found: Coefficients = self.encoder(images).coefficients
        return found


def _joined(parts: list[UVMaps | None]) -> UVMaps:
    """Corrections of several batches."""
    known = [part for part in parts if part is not None]
    maps: dict[str, Tensor | None] = {}
    for name in ("diffuse", "displacement"):
        values = [getattr(part, name) for part in known]
        maps[name] = None if values[0] is None else torch.cat(values)
    return UVMaps(**maps)
