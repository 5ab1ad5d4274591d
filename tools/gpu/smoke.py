"""Every path that a GPU takes, at tiny size: does it run, does it give what the CPU gives, about how fast is it?

A check that fails is reported with the last lines of its traceback, and the next one runs. Results: ``smoke.json``.
"""

from __future__ import annotations

import argparse
import copy
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from faceuv.engine.compat.optim import OptimWrapper
from faceuv.evaluation import frechet_distance
from faceuv.files.locate import locate
from faceuv.fitting import Fitter
from faceuv.geometry.projection import project
from faceuv.models.base.method import BaseMethod
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.models.readers.regressor import load_regressor
from faceuv.models.stylefaceuv import StyleFaceUV
from faceuv.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from faceuv.registry import LANDMARK_DETECTORS, MODELS, RENDERERS
from faceuv.structures import Coefficients
from faceuv.synthetic import SyntheticFaces
from tools.gpu.folder import Folder
from tools.gpu.machine import Machine
from tools.gpu.pictures import face_model_of
from tools.gpu.teacher import Recipe

SECONDS = 60.0
Numbers = dict[str, Any]
Check = Callable[[Machine], Numbers]
_BACKENDS = ("torch", "warp", "nvdiffrast", "pytorch3d", "drtk")
_TRACE = 6  # lines of a traceback that are kept


def run(machine: Machine, folder: Folder, options: argparse.Namespace) -> int:
    """All checks that the time allows; 1 if one failed or none could be run for want of time."""
    limit = options.seconds or SECONDS
    results: dict[str, Numbers] = {}
    asked = options.face_model
    heads = {} if asked is None else {"synthetic_heads": partial(synthetic_faces, face_model=asked)}
    checks: dict[str, Check] = {**heads, **CHECKS}
    for name, check in checks.items():
        results[name] = _one(name, check, machine, limit)
        kept = folder.write_json("smoke.json", {"machine": machine.facts(), "checks": results})
    failed = [name for name, result in results.items() if not result["ok"]]
    print(
        f"{len(results) - len(failed)} of {len(results)} checks passed; failed: {', '.join(failed) or 'none'}",
        flush=True,
    )
    return 1 if failed or not kept else 0


def _one(name: str, check: Check, machine: Machine, limit: float) -> Numbers:
    if machine.seconds() > limit:
        print(f"{name}: not run, {limit:.0f} s are over", flush=True)
        return {"ok": False, "error": f"not run: {limit:.0f} s were over"}
    start = time.perf_counter()
    try:
        torch.manual_seed(0)
        found = check(machine)
        machine.wait()
    except Exception as error:
        lines = traceback.format_exc().strip().splitlines()[-_TRACE:]
        print(f"{name}: FAILED after {time.perf_counter() - start:.1f} s", *lines, sep="\n    ", flush=True)
        return {"ok": False, "error": f"{type(error).__name__}: {error}", "traceback": lines}
    taken = time.perf_counter() - start
    told = ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in found.items()
    )
    print(f"{name}: ok, {taken:.1f} s; {told}", flush=True)
    return {"ok": True, "seconds": round(taken, 2), **found}


def near(what: str, found: Tensor, expected: Tensor, most: float) -> float:
    """The mean absolute difference of the device's result from the CPU's, by the mean absolute value of that."""
    wanted = expected.detach().double().cpu()
    difference = float((found.detach().double().cpu() - wanted).abs().mean() / wanted.abs().mean().clamp_min(1e-12))
    if not difference <= most:
        raise AssertionError(
            f"{what}: differs from the CPU's by {difference:.3g} of its size, at most {most:g} expected"
        )
    return difference


def finite(what: str, tensors: Mapping[str, Tensor | None] | nn.Module) -> None:
    """No NaN, no infinity; of a module, in its gradients."""
    named = {n: p.grad for n, p in tensors.named_parameters()} if isinstance(tensors, nn.Module) else tensors
    bad = [name for name, value in named.items() if value is not None and not bool(torch.isfinite(value).all())]
    if bad or all(value is None for value in named.values()):
        raise AssertionError(f"{what}: not finite, or nothing there: {bad[:5]}")


def rate(machine: Machine, count: int, call: Callable[[], object], repeats: int = 3) -> float:
    """How many of ``count`` a second, the best of several calls."""
    return count / min(machine.timed(call)[0] for _ in range(1 if machine.toy else repeats))


def rasterizers(machine: Machine) -> Numbers:
    """Each backend that is here sees what the built-in one sees on the CPU, and its gradients are finite."""
    from benchmarks.render import head

    size, batch = (48, 1) if machine.toy else (256, 8)
    mesh = head(batch, "cpu")
    reference = RENDERERS.build({"type": "torch"})
    pixels = project(mesh.vertices, reference.camera, size, size)
    expected = reference.rasterize(pixels[:1], mesh.faces, size, size)
    there = mesh.to(machine.device)
    found: Numbers = {}
    for name in _BACKENDS:
        if not RENDERERS.get(name).available(machine.device):
            continue
        renderer = RENDERERS.build({"type": name})
        seen = renderer.rasterize(pixels.to(machine.device), there.faces, size, size)
        same = float((seen[:1].cpu() == expected).float().mean())
        covered = float(((seen[:1].cpu() >= 0) == (expected >= 0)).float().mean())
        if covered < 0.995 or (name in ("torch", "warp") and same < 0.995):
            raise AssertionError(f"{name}: {same:.4f} of the pixels see the same face, {covered:.4f} are covered alike")
        vertices = there.vertices.clone().requires_grad_()

        def step(renderer: Any = renderer, vertices: Tensor = vertices) -> None:
            vertices.grad = None
            texture = torch.full((batch, 3, 64, 64), 0.5, device=machine.device)
            renderer(
                type(mesh)(vertices, there.faces, there.uv), height=size, width=size, texture=texture
            ).image.sum().backward()

        step()
        finite(name, {"vertices": vertices.grad})
        found |= {f"{name}_same": same, f"{name}_steps_images_per_second": rate(machine, batch, step)}
    return found


def synthetic_faces(machine: Machine, face_model: str | None = None) -> Numbers:
    """The device draws the CPU's pictures; pictures per second."""
    size, together = (32, 2) if machine.toy else (128, 256)
    settings: dict[str, Any] = dict(size=size, samples=1 if machine.toy else 2, truth=("coefficients", "landmarks"))
    expected = SyntheticFaces(face_model=face_model_of(face_model), **settings).batch([0, 1])
    faces = SyntheticFaces(face_model=face_model_of(face_model), device=machine.device, together=2, **settings)
    found = faces.batch([0, 1])
    differ = {name: near(name, found[name], expected[name], 0.01) for name in ("image", "coefficients", "landmarks")}
    faces.together = together
    seeds = faces.seeds(range(together))
    faces.draw(seeds, ())
    return {**differ, "per_second": rate(machine, together, lambda: faces.draw(seeds, ()))}


def networks(machine: Machine) -> Numbers:
    """StyleGAN2 forward and backward, R1's second derivatives, in full and in half precision, beside the CPU's."""
    size, batch = (16, 2) if machine.toy else (64, 16)
    generator = StyleGAN2Generator(size, 64, mapping_depth=2, channel_base=2048, channel_max=64)
    discriminator = StyleGAN2Discriminator(size, channel_base=2048, channel_max=64)
    latent = generator.sample_latents(batch, generator=torch.Generator().manual_seed(0))

    def gradients(device: torch.device, precision: str) -> tuple[Tensor, Tensor, Tensor]:
        g, d = copy.deepcopy(generator).to(device), copy.deepcopy(discriminator).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            image = g(latent.to(device), noise="none")
            d(image).float().mean().backward()
        finite(precision, g)
        real = image.detach().requires_grad_()
        (slope,) = torch.autograd.grad(d(real).sum(), real, create_graph=True)
        penalty = slope.square().sum()
        penalty.backward()
        finite("R1", d)
        moved = g.synthesis.constant.grad
        assert moved is not None
        return image, moved, penalty

    expected = gradients(torch.device("cpu"), "float32")
    found: Numbers = {}
    for precision, most in (("float32", 0.03), (machine.precision, 0.15)):
        results = zip(("image", "gradient", "r1"), gradients(machine.device, precision), expected)
        found |= {f"{name}_{precision}": near(f"{name} in {precision}", one, two, most) for name, one, two in results}
    return found


def train_steps(machine: Machine, method: BaseMethod, data: Mapping[str, Tensor], batch: int) -> Numbers:
    """A few training steps: everything stays finite and moves; images per second."""
    method, names = method.to(machine.device), method.networks
    adam = {
        name: OptimWrapper(
            torch.optim.Adam(getattr(method, name).parameters(), lr=1e-3, fused=True), precision=machine.precision
        )
        for name in names
    }
    wrappers = OptimWrapperDict(**adam)
    first = {name: next(p for p in getattr(method, name).parameters() if p.requires_grad) for name in names}
    before = {name: parameter.detach().clone() for name, parameter in first.items()}
    for _ in range(2):
        logs = method.train_step(data, wrappers)
    # R1 is due in one of sixteen steps of the game
    many = 1 if machine.toy else 16
    speed = rate(machine, many * batch, lambda: [method.train_step(data, wrappers) for _ in range(many)], repeats=1)
    finite("losses", logs)
    for name in names:
        network = getattr(method, name)
        finite(name, {key: value for key, value in network.state_dict().items() if value.is_floating_point()})
        if torch.equal(before[name], first[name]):
            raise AssertionError(f"the weights of {name} did not move")
    return {"images_per_second": speed, "precision": machine.precision}


def _batch(machine: Machine, size: int, count: int) -> dict[str, Tensor]:
    images = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, device=machine.device)
    return {"image": images, "latent": torch.randn(count, 383, device=machine.device)}


def _recipe(machine: Machine) -> tuple[Recipe, int]:
    if machine.toy:
        return Recipe(16, "calm", code_dim=32, mapping_depth=2, channel_base=256, channel_max=16), 2
    return Recipe(128, "calm"), 64


def pairs_step(machine: Machine) -> Numbers:
    """The teacher's step on pairs, in half precision where there is one."""
    recipe, batch = _recipe(machine)
    return train_steps(machine, recipe.pairs(), _batch(machine, recipe.size, batch), batch)


def game_step(machine: Machine) -> Numbers:
    """The teacher's adversarial step with R1 and pairs."""
    recipe, batch = _recipe(machine)
    return train_steps(machine, recipe.game(0), _batch(machine, recipe.size, batch), batch)


def stylefaceuv_step(machine: Machine) -> Numbers:
    """StyleFaceUV's step on the zoo's teacher, F3D and F_yaw; normals from the maps, which need sparse matrices."""
    face = ProceduralFace(rows=49, columns=41, verbose=False)
    width = 32 if machine.toy else 64
    method = StyleFaceUV(
        dict(type="PretrainedGenerator", path="zoo:teacher_64/generator.safetensors"),
        "zoo:mapper_64/weights.safetensors",
        face,
        dict(
            photo=dict(type="PhotometricLoss", norm="squared", weight=10.0),
            percept=dict(type="DiscriminatorPerceptual", zoo="teacher_64", weight=2.0),
            adversarial=dict(type="GeneratorLogistic"),
            discriminator=dict(type="DiscriminatorLogistic"),
            r1=dict(type="R1Penalty", gamma=10.0, interval=2),
        ),
        stepper="zoo:stepper_64/weights.safetensors",
        discriminator="zoo:teacher_64/discriminator.safetensors",
        uv_generator=dict(size=width),
        normals="map",
    )  # fmt: skip
    method = method.to(machine.device)
    batch = 2 if machine.toy else 16
    teacher, mapper = method.teacher_views.teacher.network, method.teacher_views.mapper.network
    with torch.no_grad():
        codes = teacher.broadcast(teacher.mapping(teacher.sample_latents(batch)))
        data = {"code": codes, "coefficients": mapper(codes).data}
    return train_steps(machine, method, data, batch)


def readers(machine: Machine) -> Numbers:
    """Landmarks and coefficients of synthetic faces, as on the CPU."""
    images = SyntheticFaces(size=64, samples=1).batch([0, 1])["image"]
    detector = LANDMARK_DETECTORS.build({"type": "SyntheticLandmarks"})
    regressor = load_regressor(locate("zoo:regressor/weights.safetensors"))
    expected = detector.detect(images).points, regressor(images).data
    there = images.to(machine.device)
    found = detector.to(machine.device).detect(there).points, regressor.to(machine.device)(there).data
    count = 2 if machine.toy else 256
    many = there[:1].expand(count, -1, -1, -1).contiguous()
    return {
        "landmarks": near("landmarks", found[0], expected[0], 0.01),
        "coefficients": near("coefficients", found[1], expected[1], 0.02),
        "landmarks_per_second": rate(machine, count, lambda: detector.detect(many)),
    }


def fitter(machine: Machine) -> Numbers:
    """Fits of synthetic faces with our detector and regressor."""
    face = ProceduralFace(rows=49, columns=41, verbose=False)
    regressor = load_regressor(locate("zoo:regressor/weights.safetensors"))
    fitter = Fitter(face, "torch", LANDMARK_DETECTORS.build({"type": "SyntheticLandmarks"}), regressor)
    fitter = fitter.to(machine.device)
    size, count = (64, 2) if machine.toy else (256, 32)
    images = SyntheticFaces(size=size, samples=1, device=machine.device).batch(range(count))["image"]
    fits = fitter.fit(images)
    if float(fits.ok.float().mean()) < 0.8:
        raise AssertionError(f"only {int(fits.ok.sum())} of {count} faces were fitted: {fits.reasons}")
    speed = rate(machine, count, lambda: fitter.fit(images), repeats=1)
    return {"fits_per_second": speed, "landmark_error_pixels": float(fits.landmark_error[fits.ok].mean())}


def distances(machine: Machine) -> Numbers:
    """Both offline feature spaces and the Fréchet distance."""
    images = torch.rand(40, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found: Numbers = {}
    for config in (dict(type="DiscriminatorFeatures", zoo="teacher_64"), dict(type="RegressorFeatures")):
        features = MODELS.build(config)
        expected = features(images)
        rows = features.to(machine.device)(images.to(machine.device))
        found[features.space] = near(features.space, rows, expected, 0.02)
        if not frechet_distance(rows, rows) < 1e-3 * float(rows.square().sum(1).mean()):
            raise AssertionError(f"{features.space}: the distance of a set from itself is not zero")
    return found


def renders(machine: Machine) -> Numbers:
    """A face by its coefficients, drawn with view masks, as on the CPU."""
    from faceuv.models.faces import FaceRenderer

    face = ProceduralFace(rows=49, columns=41, verbose=False)
    drawn = {}
    for device in (torch.device("cpu"), machine.device):
        renderer = FaceRenderer(face, "torch", normals="map").to(device)
        data = torch.zeros(2, face.layout.size, device=device)
        coefficients = Coefficients(data, face.layout)
        with torch.no_grad():
            drawn[device.type] = renderer(coefficients, size=64).image.cpu()
    return {"image": near("a render", drawn[machine.device.type], drawn["cpu"], 0.01)}


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        networks, game_step, pairs_step, synthetic_faces, rasterizers, readers, distances, renders, stylefaceuv_step,
        fitter,
    )
}  # fmt: skip
