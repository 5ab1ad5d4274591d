"""What is known of expressions on the zoo's teacher of whole heads: the figures of docs/stylerig.md beside its study.

python benchmarks/stylerig_expression.py judge            how well the regressor reads expressions whose truth is known
python benchmarks/stylerig_expression.py limit            codes moved by the regressor's own gradient, without any rig
python benchmarks/stylerig_expression.py sliders [--generator DIR] [--sheet FILE.png]
python benchmarks/stylerig_expression.py maps [--generator DIR] [--sheet FILE.png]    do StyleFaceUV's maps follow?
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import faceuv
from faceuv.evaluation.identity import RegressorIdentity, similarity
from faceuv.evaluation.rig_measures import followed
from faceuv.evaluation.rig_study import wanted_of
from faceuv.export.images import contact_sheet, save_png
from faceuv.face import Face
from faceuv.files.locate import locate
from faceuv.fitting.landmarks import LandmarkDetector
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.models.readers.regressor import load_regressor
from faceuv.models.stylefaceuv.head_maps import HeadMaps
from faceuv.models.stylefaceuv.uv_generator import load_uv_generator
from faceuv.models.stylerig import StyleRigGenerator, load_rignet
from faceuv.models.stylerig.errors import GroupErrors
from faceuv.registry import FACE_MODELS, LANDMARK_DETECTORS
from faceuv.structures import Coefficients
from faceuv.synthetic import SyntheticFaces

OTHER = ({"type": "ProceduralFace", "verbose": False}, "zoo:regressor/weights.safetensors")
HEADS = {"type": "MakeHuman", "verbose": False}
REGRESSOR = "zoo:regressor_heads_64/weights.safetensors"
MAPS = "zoo:heads_64/uv_generator.safetensors"
LANDMARKS = "zoo:landmarks_mixed/weights.safetensors"
RIG = "zoo:stylerig_heads_64/rig.safetensors"
STEPS, PAIRS, RATE = 60, 16, 0.03
ASKED = ({"smile": 0.0}, {"smile": 0.3}, {"smile": 0.6}, {"smile": 1.0}, {"jawOpen": 0.1}, {"jawOpen": 0.3})


class Judge:
    """Reads pictures, and compares what it reads: the regressor that taught the mapper, or that of another face model,
    which taught nothing here."""

    def __init__(self, face_model: dict[str, Any] = HEADS, regressor: str = REGRESSOR) -> None:
        self.face_model = FACE_MODELS.build(face_model)
        self.regressor = load_regressor(locate(regressor))
        self.errors = GroupErrors(self.face_model)

    def __call__(self, images: Tensor) -> Coefficients:
        return Coefficients(torch.cat([self.regressor(part).data for part in images.split(32)]), self.regressor.layout)


def mean_of(values: Tensor) -> str:
    return f"{float(values.mean()):.2f} ± {float(values.std()) / len(values) ** 0.5:.2f}"


@torch.no_grad()
def judge(count: int = 256) -> None:
    """Drawn faces of the teacher's world, which the regressor did not see."""
    reader = Judge()
    data = SyntheticFaces(length=count, seed=9, size=64, face_model=HEADS, world="calm", truth=("coefficients",))
    drawn = [data.batch(list(range(k, k + 32))) for k in range(0, count, 32)]
    images = torch.cat([one["image"] for one in drawn])
    true = Coefficients(torch.cat([one["coefficients"] for one in drawn]), reader.face_model.layout)
    read = reader(images)
    for name, other in (("mean face", true.data.mean(0, keepdim=True).expand_as(true.data)), ("regressor", read.data)):
        away = reader.errors(Coefficients(other.contiguous(), true.layout), true)
        print(f"{name}: expression {mean_of(away['expression_percent'])} % of the eye distance from the truth")
    for one, words in ((true, "the truth"), (read, "what the regressor reads")):
        apart = reader.errors(one, Coefficients(one.data.roll(1, 0), one.layout))["expression_percent"]
        print(f"{words}: two faces differ by {mean_of(apart)} %")
    second = Judge(*OTHER)
    for name, asked in reader.errors.mouth(true).items():
        print(f"{name}: deviation {float(asked.std()):.2f} %")
        for words, found in (
            ("the regressor of heads", reader.errors.mouth(read)[name]),
            ("that of the procedural face", second.errors.mouth(second(images))[name]),
        ):
            joint = followed(asked - asked.mean(), found - found.mean())
            print(f"  {words}: deviation {float(found.std()):.2f} %, correlation {joint.correlation:.2f}")


def limit() -> None:
    """Codes moved so that the regressor reads the source's expression: the nearest that this generator comes."""
    reader, identity, generator = Judge(), RegressorIdentity(), faceuv.load("stylerig_heads_64")
    teacher, spread = generator.teacher, load_rignet(locate(RIG)).spread
    rng = torch.Generator().manual_seed(4242)
    code, other = (teacher.sample_codes(64, generator=rng)[:PAIRS] for _ in range(2))
    with torch.no_grad():
        own, there = (teacher.synthesis(one).clamp(0, 1) for one in (code, other))
        before = reader(own)
        wanted = wanted_of(before, reader(there), "expression")
        goal = reader.errors.movements(wanted)
    step = torch.zeros_like(code, requires_grad=True)
    optimizer = torch.optim.Adam([step], RATE)
    for _ in range(STEPS):
        read = reader(teacher.synthesis(code + step @ spread).clamp(0, 1))
        away = reader.errors(read, before)
        loss = (reader.errors.movements(read) - goal).square().sum(2).add(
            1e-4
        ).sqrt().mean() + 0.3 * step.square().mean()
        loss = loss + (0.02 * (away["pose_deg"] + away["light_percent"]) + 0.1 * away["shape_mm"]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        moved = teacher.synthesis(code + step @ spread).clamp(0, 1)
        read = reader(moved)
        reached, missed, away = reader.errors(read, wanted), reader.errors(before, wanted), reader.errors(read, before)
        print(
            f"expression {mean_of(reached['expression_percent'])} %, unedited {mean_of(missed['expression_percent'])} %"
        )
        leaked = ", ".join(f"{name} {mean_of(away[name])}" for name in ("pose_deg", "light_percent", "shape_mm"))
        print(f"{leaked}, identity {mean_of(similarity(identity(own), identity(moved)))}")


def rigged(path: str) -> StyleRigGenerator:
    found = faceuv.load(path) if not Path(path).is_dir() else StyleRigGenerator.load(path)
    assert isinstance(found, StyleRigGenerator)
    return found


@torch.no_grad()
def sliders(path: str, sheet: str | None, count: int = 48) -> None:
    """Named expressions, as the regressor reads them off the pictures."""
    reader, other, generator = Judge(), Judge(*OTHER), rigged(path)
    codes = generator.teacher.sample_codes(count, generator=torch.Generator().manual_seed(31))
    own = generator.image(codes)
    before = reader(own)
    columns, network = [own], LANDMARK_DETECTORS.build(dict(type="SyntheticLandmarks", path=LANDMARKS)).eval()
    width, there = seen_width(network, own), other.errors.mouth(other(own))
    names = reader.face_model.mode_names["expression"]
    smile = [names.index("mouthSmileLeft"), names.index("mouthSmileRight")]
    print(f"unedited: smile {mean_of(before.expression[:, smile].mean(1))}")
    for asked in ASKED:
        columns.append(generator.generate(codes, expression=asked))
        read = reader(columns[-1])
        away = reader.errors(read, before)
        start, end = reader.errors.mouth(before), reader.errors.mouth(read)
        change = ", ".join(f"{name} {float((end[name] - start[name]).mean()):+.2f} %" for name in start)
        apart = other.errors.mouth(other(columns[-1]))
        change += ", as another regressor reads them " + ", ".join(
            f"{mean_of(apart[key] - there[key])} %" for key in there
        )
        change += f"; width as the landmark network sees it {mean_of(seen_width(network, columns[-1]) - width)} %"
        rest = ", ".join(f"{name} {mean_of(away[name])}" for name in ("pose_deg", "light_percent", "shape_mm"))
        print(f"{asked}: smile {mean_of(read.expression[:, smile].mean(1))}, {change}; {rest}")
    if sheet is not None:
        front = before.rotation[:, 1].abs().argsort()[:6]
        save_sheet(sheet, [image[front] for image in columns])


def seen_width(network: LandmarkDetector, images: Tensor) -> Tensor:
    """``(B,)``: the width of mouths in % of the eye distance, by a network that did not teach the mapper."""
    points = torch.cat([network.detect(part).points for part in images.split(32)])
    eyes, mouth = (torch.linalg.vector_norm(points[:, a] - points[:, b], dim=1) for a, b in ((36, 45), (48, 54)))
    return 100 * mouth / eyes


@torch.no_grad()
def maps(path: str, sheet: str | None, count: int = 24) -> None:
    """The mesh of an edited code beside the teacher's picture of it, about the mouth: with the maps of the edited code,
    and with those of the unedited one."""
    generator = rigged(path)
    made = HeadMaps(load_uv_generator(locate(MAPS)), generator.face_model)
    rng = torch.Generator().manual_seed(31)
    codes, others = (generator.teacher.sample_codes(count, generator=rng) for _ in range(2))
    edits = {
        "smile 0.6": generator.slide(codes, expression={"smile": 0.6}),
        "smile 0.0": generator.slide(codes, expression={"smile": 0.0}),
        "transfer": generator.transfer(codes, others, "expression"),
    }
    start, shown = generator.image(codes), []
    for name, moved in edits.items():
        picture, coefficients = generator.image(moved), generator.coefficients(moved)
        follow, keep = (drawn(generator, coefficients, made, one) for one in (moved, codes))
        box = mouth_box(generator, coefficients, picture.shape[2]) * follow[1]
        errors = [inside((image - picture).abs().mean(1), box) for image, _ in (follow, keep)]
        joint = [correlation((follow[0] - keep[0])[k], (picture - start)[k], box[k]) for k in range(count)]
        size = inside((picture - start).abs().mean(1), box), inside((follow[0] - keep[0]).abs().mean(1), box)
        folds = [inside(detail(image), box) for image in (start, picture, keep[0], follow[0])]
        kept = ", ".join(f"{word} {mean_of(100 * one)} %" for word, one in zip(("follow", "kept"), errors))
        print(f"{name}: colour error about the mouth, maps that {kept}")
        changes = ", of the mesh by ".join(
            f"{word} {mean_of(100 * one)} %" for word, one in zip(("the picture", "maps"), size)
        )
        print(f"  change of {changes}; correlation of both {mean_of(torch.stack(joint))}")
        words = ("picture before", "picture after", "maps kept", "maps follow")
        print("  detail: " + ", ".join(f"{word} {mean_of(100 * one)} %" for word, one in zip(words, folds)))
        shown += [picture, follow[0], keep[0]] if name != "transfer" else []
    if sheet is not None:
        save_sheet(sheet, [image[:6] for image in (start, *shown)])


def drawn(
    generator: StyleRigGenerator, coefficients: Coefficients, made: HeadMaps, codes: Tensor
) -> tuple[Tensor, Tensor]:
    """Pictures and masks of meshes with the maps of other codes."""
    found = []
    for k, code in enumerate(codes):
        one = Coefficients(coefficients.data[k : k + 1], coefficients.layout)
        face = Face(one, generator.face_model, generator.renderer, made(code[None]), {})
        found.append(face.render_full(generator.teacher.size))
    return torch.cat([one.image for one in found]).clamp(0, 1), torch.cat([one.mask for one in found])


def mouth_box(generator: StyleRigGenerator, coefficients: Coefficients, size: int) -> Tensor:
    """``(B, 1, S, S)`` in {0, 1}: lips and the folds beside them."""
    points, _ = LandmarkTruth(generator.face_model, generator.renderer.camera)(coefficients, size)
    low, high = points[:, 48:].amin(1), points[:, 48:].amax(1)
    more = 0.3 * (high - low)[:, :1]
    line = torch.arange(size) + 0.5
    across, down = ((line >= low[:, k : k + 1] - more) & (line <= high[:, k : k + 1] + more) for k in (0, 1))
    return (down[:, :, None] & across[:, None, :])[:, None].float()


def inside(values: Tensor, box: Tensor) -> Tensor:
    """Means of ``(B, S, S)`` in boxes."""
    return (values * box[:, 0]).sum((1, 2)) / box.sum((1, 2, 3)).clamp_min(1)


def detail(images: Tensor) -> Tensor:
    """``(B, S, S)``: how far grey levels are from the mean of their neighbours."""
    grey = images.mean(1, keepdim=True)
    blurred = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(grey, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return (grey - blurred).abs()[:, 0]


def correlation(a: Tensor, b: Tensor, box: Tensor) -> Tensor:
    """Of two changes ``(3, S, S)`` in a box."""
    within = box[0] > 0.5
    return torch.corrcoef(torch.stack([a[:, within].flatten(), b[:, within].flatten()]))[0, 1]


def save_sheet(path: str, columns: list[Tensor]) -> None:
    """Rows of people, a column for each edit."""
    cells = torch.stack(columns, 1).flatten(0, 1)
    large = torch.nn.functional.interpolate(cells, scale_factor=2, mode="nearest")
    save_png(path, contact_sheet(list(large), columns=len(columns)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("judge", "limit", "sliders", "maps"))
    parser.add_argument("--generator", default="stylerig_heads_64", help="name in the zoo, or a folder")
    parser.add_argument("--sheet", help="a picture of it")
    args = parser.parse_args()
    if args.what in ("judge", "limit"):
        {"judge": judge, "limit": limit}[args.what]()
    else:
        {"sliders": sliders, "maps": maps}[args.what](args.generator, args.sheet)


if __name__ == "__main__":
    main()
