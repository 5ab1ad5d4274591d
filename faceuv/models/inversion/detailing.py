"""The training of the local branch: one face in two poses, with detail that no code draws; the encoder is frozen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from mmengine.dist import get_rank, get_world_size
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.files.locate import locate
from faceuv.files.networks import save_network
from faceuv.geometry.projection import pose, project
from faceuv.geometry.uv import bake
from faceuv.losses import R1Penalty
from faceuv.models.base.fixed import Fixed, frozen
from faceuv.models.base.manifest import MANIFEST
from faceuv.models.base.options import as_options
from faceuv.models.faces.base import FaceModel
from faceuv.models.inversion.coverings import CoveringShares, cover
from faceuv.models.inversion.detail import DetailShares
from faceuv.models.inversion.encoder import PyramidEncoder, check_teacher, load_encoder
from faceuv.models.inversion.growth import PoseGrowth
from faceuv.models.inversion.light import with_fitted_light
from faceuv.models.inversion.local import LOCAL_FILE, Detailer, LocalBranch, corrected, start_local
from faceuv.models.inversion.method import InversionMethod
from faceuv.models.inversion.residual import read
from faceuv.models.inversion.world import Scene
from faceuv.models.stylefaceuv.starting import start_discriminator
from faceuv.registry import MODELS
from faceuv.renderers.base import Renderer
from faceuv.renderers.compositing import composite
from faceuv.renderers.masks import mask_in_view
from faceuv.structures import Coefficients, Render, UVMaps
from faceuv.synthetic.seeds import combine, uniforms

JUDGED = ("adversarial", "discriminator", "r1")
TERMS = ("image", "perceptual", "diffuse", "positions", "small", "symmetric", *JUDGED)
_STEP_SEED, _PAINT_SEED, _VIEW_SEED, _COVER_SEED = 47, 53, 59, 61
_MM = 100.0
_LEAST_TURN = 20.0  # degrees between the picture and the hidden view of the evaluation


@dataclass(frozen=True, eq=False)
class Pair:
    """One face in two poses. A is the picture, B is hidden from the networks.

    scene    the true face, and picture A of the bare face
    picture  A with what is before the face, which is what the networks see
    found    coefficients that are read in A; ``there`` are those at B's pose, and ``true_there`` the true ones;
             from A to B the found face moves as the true one does: a picture does not tell a large face from a near one
    bare     maps of the code that the encoder finds
    given    input of the local branch; ``known (B, 1, H, W)``: the texels that A shows by the face that is read
    shown    ``(B, 1, H, W)``: those of them that nothing is before
    """

    scene: Scene
    picture: Tensor
    found: Coefficients
    there: Coefficients
    true_there: Coefficients
    bare: UVMaps
    given: Tensor
    known: Tensor
    shown: Tensor


@MODELS.register_module()
class LocalDetailing(InversionMethod):
    """Trains :class:`~faceuv.models.inversion.LocalBranch` on pairs that the generator draws: maps of one code, painted
    with detail that no code draws, in two poses. The encoder, which is frozen, reads view A; the corrected face is
    compared with view B.

    A batch is ``dict(index (B,))`` of :class:`~faceuv.models.liftedgan.SampleNumbers`. Optimiser: ``local``, and
    ``discriminator`` where there is one.

    Args:
        faces: the generator of faces, as for :class:`~faceuv.models.inversion.CodeEncoding`.
        encoder: file of the encoder.
        losses: terms by name, each with its weight: ``image`` and ``perceptual`` compare renders of A and of B
            ``{"image", "mask"}``; ``diffuse`` (colours) and ``positions`` (mm) compare maps, ``mask`` weighs the
            texels: 1 where A shows them, ``unseen`` elsewhere; ``small``: ``MapPenalty(of="delta")``, the correction
            where A does not show it; ``symmetric``: there, the correction beside the mirrored one. ``adversarial``,
            ``discriminator`` and maybe ``r1`` belong together and read scores of the corrected faces at A and B, and of
            the true ones, over the generator's picture; none of them by default.
        discriminator: for these: file of one to start with (the teacher's), or the config of a new one. Its optimiser
            is ``discriminator``; ``r1`` is due every ``interval`` steps.
        local: settings of the branch; ``start``: a file of one to go on from.
        growth: how far B is turned from A.
        coverings: settings of :class:`~faceuv.models.inversion.CoveringShares`: hair and spectacles that are drawn over
            picture A and are not on the skin, so that the branch learns to leave such things out.
        light: fit the light to the picture, as :class:`~faceuv.models.inversion.EncoderInverter` does.
        unseen: weight of the texels, and of the pixels of B, that A does not show.
        others: as for :class:`~faceuv.models.inversion.method.InversionMethod`.
    """

    known: ClassVar[tuple[str, ...]] = TERMS
    one_of: ClassVar[tuple[str, str]] = ("image", "diffuse")
    learned: ClassVar[str] = "detail"
    networks: ClassVar[tuple[str, ...]] = ("local", "discriminator")
    exports: ClassVar[tuple[str, ...]] = (LOCAL_FILE, MANIFEST)

    def __init__(
        self,
        faces: str | Path | Any,
        encoder: str | Path | PyramidEncoder,
        losses: Mapping[str, Any],
        *,
        face_model: FaceModel | Mapping[str, Any] | str | None = None,
        local: Mapping[str, Any] | None = None,
        discriminator: str | Path | Mapping[str, Any] | None = None,
        growth: PoseGrowth | Mapping[str, Any] | None = None,
        detail: DetailShares | Mapping[str, Any] | None = None,
        coverings: CoveringShares | Mapping[str, Any] | None = None,
        light: bool = True,
        unseen: float = 0.25,
        mixed: int = 3,
        renderer: Renderer | Mapping[str, Any] | str = "torch",
        seed: int = 1,
        dtype: str = "float32",
    ) -> None:
        if not 0 <= unseen <= 1:
            raise InputError(f"unseen is the weight of texels that the picture does not show, 0 … 1, got {unseen}")
        super().__init__(
            faces, losses, face_model=face_model, growth=growth, detail=detail, mixed=mixed, renderer=renderer,
            seed=seed, dtype=dtype,
        )  # fmt: skip
        self.unseen, self.light = float(unseen), light
        self.coverings = as_options(CoveringShares, coverings, "coverings")
        found = encoder if isinstance(encoder, PyramidEncoder) else load_encoder(locate(encoder))
        self.encoder_source = None if isinstance(encoder, PyramidEncoder) else encoder
        self.encoder: Fixed[PyramidEncoder] = Fixed(check_teacher(found, self.world.teacher.network))
        self.local = start_local(local)
        judged = "adversarial" in self.losses.terms
        if judged and discriminator is None:
            raise InputError("the loss 'adversarial' needs a discriminator: a file, the teacher's, or a config")
        self.discriminator = start_discriminator(self.world.size, discriminator) if judged else None
        self.detailer = Detailer(self.world.renderer.network, self.world.uv_generator.network.size)

    @classmethod
    def check_config(cls, config: Mapping[str, Any]) -> None:
        """Raise for what is wrong with a config before anything is loaded."""
        super().check_config(config)
        as_options(CoveringShares, config.get("coverings"), "coverings")

    @classmethod
    def networks_of(cls, config: Mapping[str, Any]) -> tuple[str, ...]:
        """The discriminator is trained with the loss ``adversarial`` only."""
        judged = (config.get("losses") or {}).get("adversarial") is not None
        return cls.networks if judged else cls.networks[:1]

    @classmethod
    def check_terms(cls, names: Sequence[str]) -> None:
        """As for all methods; the adversarial terms belong together."""
        super().check_terms(names)
        if ("adversarial" in names) != ("discriminator" in names) or ("r1" in names and "adversarial" not in names):
            raise InputError("the losses 'adversarial' and 'discriminator', and 'r1' if wanted, belong together")

    # ------------------------------------------------------------ training

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of the local branch, then of the discriminator if there is one, then its R1 step when due."""
        index = self.data_preprocessor(data, True)["index"]
        number = self.counted("steps") * get_world_size() + get_rank()
        seeds = combine(combine(torch.tensor([self.seed + _STEP_SEED]), number), index.cpu())
        yaw = (2 * uniforms(seeds, (1,))[:, 0] - 1) * math.radians(self.growth.yaw_deg)
        pair = self.pair(index, yaw, self.growth.multiplier(self.counted("steps")), combine(seeds, _PAINT_SEED))
        judge = self.discriminator
        with frozen(*([] if judge is None else [judge])):
            logs = self.update(optim_wrapper["local"], lambda: self.terms(pair))
        if judge is not None:
            fake, real = self.shown(pair)
            fake = fake.detach()
            logs |= self.update(optim_wrapper["discriminator"], lambda: self._told_apart(judge, fake, real))
            r1 = cast("R1Penalty | None", dict(self.losses.terms).get("r1"))
            if r1 is not None and r1.due(self.counted("steps")):
                logs |= self.update(optim_wrapper["discriminator"], lambda: self._r1(judge, real))
        self.count("steps", 1)
        return logs

    @torch.no_grad()
    def pair(self, index: Tensor, yaw: Tensor, share: float, painted: Tensor) -> Pair:
        """The faces of sample numbers, turned ``share`` of the way to ``yaw (B,)`` for view B."""
        world = self.world
        scene = world.scene(world.codes(index), painted=painted)
        picture, covered = self._covered(scene, combine(painted, _COVER_SEED))
        found = self.encoder.network(picture)
        bare: UVMaps = world.uv_generator.network(found.codes)
        coefficients = found.coefficients
        if self.light:
            coefficients = with_fitted_light(
                world.renderer.network, picture, coefficients, bare, map_size=self.detailer.map_size
            )
        given, known, view = self.detailer.look(picture, coefficients, bare)
        shown = known if covered is None else known * (read(covered, view.grid) < 0.5)
        angle = torch.lerp(scene.coefficients.rotation[:, 1], yaw.to(scene.image), share)
        true_there = world.at_yaw(scene.coefficients, angle)
        moved = coefficients.translation + true_there.translation - scene.coefficients.translation
        there = coefficients.replace(rotation=true_there.rotation, translation=moved)
        return Pair(scene, picture, coefficients, there, true_there, bare, given, known, shown)

    def _covered(self, scene: Scene, seeds: Tensor) -> tuple[Tensor, Tensor | None]:
        """The picture with things before the face, and how much of each pixel they cover."""
        if not self.coverings.any:
            return scene.image, None
        model, camera = self.world.face_model, self.world.renderer.network.renderer.camera
        vertices = model.shape(scene.coefficients.identity, scene.coefficients.expression)[:, model.landmarks]
        points = pose(vertices, scene.coefficients.rotation, scene.coefficients.translation)
        return cover(
            scene.image, project(points, camera, self.world.size, self.world.size)[..., :2], seeds, self.coverings
        )

    def terms(self, pair: Pair) -> dict[str, Tensor]:
        """The weighted loss terms."""
        wanted, world = set(self.losses.terms), self.world
        delta = self.local(pair.given)
        maps = corrected(pair.bare, delta)
        assert maps.diffuse is not None and pair.scene.maps.diffuse is not None and delta.diffuse is not None
        chart = world.face_model.uv_mask(*pair.known.shape[2:])
        weights = chart * torch.where(pair.known > 0, 1.0, self.unseen)
        sides: dict[str, tuple[dict[str, Tensor], dict[str, Tensor]]] = {}
        if wanted & {"image", "perceptual"}:
            pred = world.draw(_both(pair.found, pair.there), _twice(maps))
            with torch.no_grad():
                true = [pair.scene.render, world.draw(pair.true_there, pair.scene.maps)]  # A was drawn as the picture
                counted = torch.cat([self._pixel_weights(pair, view) for view in true])
            shared: dict[str, Tensor] = {"image": pred.image, "mask": pred.mask.detach()}
            target = {"image": torch.cat([view.image for view in true]), "mask": counted}
            sides["image"] = sides["perceptual"] = (shared, target)
        sides["diffuse"] = ({"image": maps.diffuse, "mask": weights}, {"image": pair.scene.maps.diffuse})
        if "positions" in wanted:
            found = self._positions(pair.found, maps)
            there = self._positions(pair.scene.coefficients, pair.scene.maps)
            sides["positions"] = ({"image": found, "mask": weights}, {"image": there})
        hidden = chart * (1 - pair.shown)
        sides["small"] = ({"delta": delta.diffuse * hidden}, {})
        mirror = self.detailer.mirror
        beside = (mirror(pair.shown) > 0.5) * hidden
        sides["symmetric"] = ({"image": delta.diffuse, "mask": beside}, {"image": mirror(delta.diffuse).detach()})
        if self.discriminator is not None:
            sides["adversarial"] = ({"scores": self.discriminator(self.shown(pair, maps)[0])}, {})
        return {name: self.losses.term(name, *sides[name]) for name in self.losses.terms if name in sides}

    def shown(self, pair: Pair, maps: UVMaps | None = None) -> tuple[Tensor, Tensor]:
        """What a discriminator is shown ``(2B, 3, S, S)``: the corrected faces at A and at B, and the true ones, over
        the generator's pictures. By default with the correction that the branch makes now, without gradients."""
        world, scene = self.world, pair.scene
        if maps is None:
            with torch.no_grad():
                maps = corrected(pair.bare, self.local(pair.given))
        behind = world.picture(scene.codes).repeat(2, 1, 1, 1)
        found = world.draw(_both(pair.found, pair.there), _twice(maps))
        with torch.no_grad():
            true = world.draw(_both(scene.coefficients, pair.true_there), _twice(scene.maps))
        fake, real = (composite(view.image, view.mask, behind).clamp(0, 1) for view in (found, true))
        return fake, real

    def _told_apart(self, judge: nn.Module, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        pred, target = ({"scores": judge(side)} for side in (fake, real))
        return {"discriminator": self.losses.term("discriminator", pred, target)}

    def _r1(self, judge: nn.Module, real: Tensor) -> dict[str, Tensor]:
        with torch.autocast(real.device.type, enabled=False):
            image = (real.detach() * 2 - 1).requires_grad_()  # γ counts in the network's own units
            return {"r1": self.losses.term("r1", {}, {"image": image, "scores": judge(image, raw=True)})}

    def _pixel_weights(self, pair: Pair, view: Render) -> Tensor:
        """The weights of pixels ``(B, 1, S, S)``: less where A does not show the face."""
        return view.mask * (self.unseen + (1 - self.unseen) * mask_in_view(pair.known, view.uv))

    def _positions(self, coefficients: Coefficients, maps: UVMaps) -> Tensor:
        """Of the displaced surface ``(B, 3, H, W)`` in mm, object frame."""
        model, size = self.world.face_model, self.detailer.map_size
        surface = bake(model.shape(coefficients.identity, coefficients.expression), model.chart(size, size))
        if maps.displacement is None:
            return surface * _MM
        moved = maps.displacement
        if moved.shape[-1] != size:
            moved = F.interpolate(moved, (size, size), mode="bilinear", align_corners=False)
        return (surface + moved) * _MM

    # ------------------------------------------------------------ evaluation

    @torch.no_grad()
    def forward(self, data: Any) -> list[dict[str, Tensor]]:
        """For ``HiddenViews``, of held-out faces with detail: view B, turned to the other side by 20° at least, as it
        is, ``real``, by the code alone, ``bare``, and with the local branch, ``fake``; where the face is, ``mask``, and
        the share of each pixel that view A shows, ``seen``."""
        pair = self._hidden(data["index"])
        local = cast(LocalBranch, self.averaged("local")).eval()
        true = self.world.draw(pair.true_there, pair.scene.maps)
        images = {"real": true.image, "mask": true.mask, "seen": mask_in_view(pair.shown, true.uv) * true.mask}
        images["bare"] = _over(self.world.draw(pair.there, pair.bare), true)
        images["fake"] = _over(self.world.draw(pair.there, corrected(pair.bare, local(pair.given))), true)
        return [{name: value[k].clamp(0, 1) for name, value in images.items()} for k in range(len(true.image))]

    def _hidden(self, index: Tensor) -> Pair:
        """Held-out pairs; numbers decide about detail and pose."""
        seeds = combine(torch.tensor([_VIEW_SEED]), index.cpu())
        own = self.world.mapper.network.yaw(self.world.codes(index)).cpu()
        away = _LEAST_TURN + uniforms(seeds, (1,))[:, 0] * max(self.growth.yaw_deg - _LEAST_TURN, 0)
        yaw = own - torch.where(own > 0, 1.0, -1.0) * away.deg2rad()
        return self.pair(index, yaw, 1.0, combine(seeds, _PAINT_SEED))

    @torch.no_grad()
    def sample_images(self, count: int) -> dict[str, Tensor]:
        """``pairs``: picture A; view B as it is, by the code alone, and with the local branch."""
        index = torch.arange(count) + 3_000_000
        rows = self.forward({"index": index})
        picture = self._hidden(index).picture
        views = [torch.stack([row[name] for row in rows]) for name in ("real", "bare", "fake")]
        return {"pairs": torch.cat([picture, *views], 3)}

    def export(self, folder: Path) -> list[str]:
        """Write ``local.safetensors`` and ``generator.json``, which makes a generator of faces of the folder."""
        metadata = {"steps": self.counted("steps"), "faces": str(self.world.source)}
        file = save_network(folder / LOCAL_FILE, self.averaged("local"), dtype=self.dtype, metadata=metadata)
        if self.world.source is None or self.encoder_source is None:
            return [LOCAL_FILE]
        self.write_manifest(folder, {"encoder": self.encoder_source, "local": file})
        return [LOCAL_FILE, MANIFEST]


def _over(render: Render, true: Render) -> Tensor:
    """A render on the true one's background, so that a silhouette that is too small shows."""
    return render.image + (1 - render.mask) * true.image * (1 - true.mask)


def _both(first: Coefficients, second: Coefficients) -> Coefficients:
    return Coefficients(torch.cat([first.data, second.data]), first.layout)


def _twice(maps: UVMaps) -> UVMaps:
    return UVMaps(*(None if m is None else m.repeat(2, 1, 1, 1) for m in (maps.diffuse, maps.displacement)))
