"""Universal Scene Description: a head with its parts, blend shapes and skeleton (UsdSkel), for film tools and AR.

Needs the extra ``usd``. Units are metres, +y up. Materials are UsdPreviewSurface; textures lie beside the file, or in
it for ``.usdz``.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from faceuv.errors import MissingDependency
from faceuv.export.gltf_geometry import influences
from faceuv.export.images import to_bytes
from faceuv.export.mesh_file import MeshFile, in_metres
from faceuv.export.morphs import TargetMove, target_moves
from faceuv.export.parts import Part
from faceuv.export.png import fast_png
from faceuv.export.rig import REST, Skeleton
from faceuv.files.artefacts import atomic_path
from faceuv.version import __version__

SUFFIXES = (".usd", ".usda", ".usdc", ".usdz")
_ROOT = "/Head"
_FPS = 60.0  # time codes per second of an animation
_TINTS = {"normal": ((2.0, 2.0, 2.0, 1.0), (-1.0, -1.0, -1.0, 0.0))}


def save_usd(path: str | Path, mesh: MeshFile) -> Path:
    """Write ``mesh`` as ``.usda`` (text), ``.usdc`` or ``.usd`` (binary) with its textures beside it, or as one
    ``.usdz``. Every file is complete before any of them appears, the scene last."""
    path = Path(path)
    pxr()
    stem = "_".join(path.stem.split())
    textures = _textures(mesh, stem)
    with tempfile.TemporaryDirectory() as folder:
        for name, data in textures.items():
            (Path(folder) / name).write_bytes(data)
        inner = Path(folder) / f"{stem}{'.usdc' if path.suffix == '.usdz' else path.suffix}"
        stage = _stage(mesh, stem, textures)  # a layer lives no longer than its stage
        stage.GetRootLayer().Export(str(inner))
        if path.suffix == ".usdz":
            from pxr import Sdf, UsdUtils

            packed = Path(folder) / "packed.usdz"
            UsdUtils.CreateNewUsdzPackage(Sdf.AssetPath(str(inner)), str(packed))
            contents = {path.name: packed.read_bytes()}
        else:
            contents = {path.name: inner.read_bytes(), **textures}
    with ExitStack() as files:
        for name, data in contents.items():
            files.enter_context(atomic_path(path.with_name(name))).write_bytes(data)
    return path


def pxr() -> Any:
    """The package that reads and writes USD; an error with the install command where it is missing."""
    try:
        import pxr as found
    except ImportError as error:
        raise MissingDependency(
            'USD files need the package usd-core: pip install "faceuv[usd]"; .glb files need nothing'
        ) from error
    return found


def _textures(mesh: MeshFile, stem: str) -> dict[str, bytes]:
    found = {}
    for kind, picture in (("diffuse", mesh.diffuse), ("normal", mesh.normal_map)):
        if picture is not None:
            found[f"{stem}_{kind}.png"] = fast_png(to_bytes(picture, kind))
    if mesh.roughness_map is not None:
        found[f"{stem}_roughness.png"] = fast_png(to_bytes(np.tile(mesh.roughness_map, (3, 1, 1)), "roughness"))
    for part in mesh.parts:
        if part.material.picture is not None:
            levels = np.rint(part.material.picture.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
            found[f"{stem}_{part.name}.png"] = fast_png(levels)
    return found


def _stage(mesh: MeshFile, stem: str, textures: dict[str, bytes]) -> Any:
    from pxr import Usd, UsdGeom, UsdSkel

    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.GetRootLayer().documentation = f"{mesh.name}, written by faceuv {__version__}"
    root = UsdSkel.Root.Define(stage, _ROOT)
    stage.SetDefaultPrim(root.GetPrim())
    root.GetPrim().SetCustomDataByKey("licences", str([dict(entry) for entry in mesh.licences]))
    rigged = mesh.skeleton is not None or bool(mesh.morph_targets)
    skeleton = mesh.skeleton or _rigid(mesh)
    if rigged:
        _skeleton(stage, skeleton)
        _movement(stage, mesh, skeleton)
    moves = list(target_moves(mesh))
    for part in mesh.parts:
        prim = _part(stage, mesh, part, skeleton if rigged else None, moves)
        _bind_material(stage, prim, part, mesh, stem, textures)
    return stage


def _rigid(mesh: MeshFile) -> Skeleton:
    """One joint that carries everything: blend shapes of UsdSkel hang on a skeleton."""
    return Skeleton(("head",), (-1,), np.zeros((1, 3), np.float32), np.ones((len(mesh.vertices), 1), np.float32))


def _paths(skeleton: Skeleton) -> list[str]:
    paths: list[str] = []
    for joint, parent in zip(skeleton.joints, skeleton.parents):
        paths.append(joint if parent < 0 else f"{paths[parent]}/{joint}")
    return paths


def _skeleton(stage: Any, skeleton: Skeleton) -> None:
    from pxr import Gf, UsdSkel

    prim = UsdSkel.Skeleton.Define(stage, f"{_ROOT}/Skeleton")
    UsdSkel.BindingAPI.Apply(prim.GetPrim()).CreateAnimationSourceRel().SetTargets([f"{_ROOT}/Animation"])
    places = in_metres(skeleton.positions).astype(float)
    prim.CreateJointsAttr(_paths(skeleton))

    def moved(place: np.ndarray) -> Any:
        return Gf.Matrix4d(1).SetTranslate(Gf.Vec3d(*place.tolist()))

    prim.CreateBindTransformsAttr([moved(place) for place in places])
    local = [place - (places[p] if p >= 0 else 0) for place, p in zip(places, skeleton.parents)]
    prim.CreateRestTransformsAttr([moved(place) for place in local])


def _movement(stage: Any, mesh: MeshFile, skeleton: Skeleton) -> None:
    """The weights and turns that the file shows, and over time those of its animation."""
    from pxr import Gf, UsdSkel, Vt

    from faceuv.export.gltf_rig import animation_rotations

    prim = UsdSkel.Animation.Define(stage, f"{_ROOT}/Animation")
    names = list(mesh.morph_targets)
    prim.CreateBlendShapesAttr(names)
    weights = prim.CreateBlendShapeWeightsAttr([float(mesh.morph_weights.get(name, 0.0)) for name in names])
    prim.CreateJointsAttr(_paths(skeleton))
    places = in_metres(skeleton.positions).astype(float)
    local = [place - (places[p] if p >= 0 else 0) for place, p in zip(places, skeleton.parents)]
    prim.CreateTranslationsAttr([Gf.Vec3f(*place.tolist()) for place in local])
    prim.CreateScalesAttr(Vt.Vec3hArray([Gf.Vec3h(1, 1, 1)] * len(places)))

    def turn(quaternion: Any) -> Any:
        x, y, z, w = (float(value) for value in quaternion)
        return Gf.Quatf(w, Gf.Vec3f(x, y, z))

    turns = prim.CreateRotationsAttr([turn(mesh.pose.get(joint, REST)) for joint in skeleton.joints])
    clip = mesh.animation
    if clip is None:
        return
    stage.SetTimeCodesPerSecond(_FPS)
    stage.SetStartTimeCode(float(clip.times[0]) * _FPS)
    stage.SetEndTimeCode(float(clip.times[-1]) * _FPS)
    rotations = animation_rotations(mesh, clip) if mesh.skeleton is not None else {}
    base = np.array([mesh.morph_weights.get(name, 0.0) for name in names])
    columns = [names.index(target) for target in clip.targets]
    for k, time in enumerate(clip.times):
        row = base.copy()
        row[columns] = clip.weights[k]
        weights.Set(row.tolist(), float(time) * _FPS)
        now = [rotations[joint][k] if joint in rotations else mesh.pose.get(joint, REST) for joint in skeleton.joints]
        turns.Set([turn(quaternion) for quaternion in now], float(time) * _FPS)


def _part(stage: Any, mesh: MeshFile, part: Part, skeleton: Skeleton | None, moves: list[TargetMove]) -> Any:
    from pxr import Sdf, Tf, UsdGeom, UsdSkel, Vt

    rows = np.unique(part.faces)
    local = np.full(len(mesh.vertices), -1)
    local[rows] = np.arange(len(rows))
    faces = part.faces if part.polygons is None else part.polygons
    counts = (faces >= 0).sum(1)
    prim = UsdGeom.Mesh.Define(stage, f"{_ROOT}/{part.name}")
    prim.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(mesh.metres[rows]))
    prim.CreateFaceVertexCountsAttr(counts.tolist())
    prim.CreateFaceVertexIndicesAttr(local[faces[faces >= 0]].tolist())
    prim.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    prim.CreateDoubleSidedAttr(part.material.double_sided)
    prim.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(mesh.normals[rows]))
    prim.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    primvars = UsdGeom.PrimvarsAPI(prim)
    uv = part.uv if part.uv is not None else mesh.uv
    if uv is not None:
        flipped = np.stack([uv[rows, 0], 1 - uv[rows, 1]], 1).astype(np.float32)
        st = primvars.CreatePrimvar("st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.vertex)
        st.Set(Vt.Vec2fArray.FromNumpy(flipped))
    if part.colours is not None and part.material.picture is None:
        opacity = primvars.CreatePrimvar("displayOpacity", Sdf.ValueTypeNames.FloatArray, UsdGeom.Tokens.vertex)
        opacity.Set(Vt.FloatArray.FromNumpy(np.ascontiguousarray(part.colours[rows, 3])))
    if skeleton is None:
        return prim
    binding = UsdSkel.BindingAPI.Apply(prim.GetPrim())
    binding.CreateSkeletonRel().SetTargets([f"{_ROOT}/Skeleton"])
    joints, weights = influences(skeleton.weights[rows])
    width = joints.shape[1]
    binding.CreateJointIndicesPrimvar(False, width).Set(joints.astype(int).reshape(-1).tolist())
    binding.CreateJointWeightsPrimvar(False, width).Set(weights.reshape(-1).tolist())
    names, targets = [], []
    for name, move in zip(mesh.morph_targets, moves):
        shape = _blend_shape(stage, f"{_ROOT}/{part.name}/{Tf.MakeValidIdentifier(name)}", local, move)
        if shape is not None:
            names.append(name)
            targets.append(shape.GetPath())
    if names:
        binding.CreateBlendShapesAttr(names)
        binding.CreateBlendShapeTargetsRel().SetTargets(targets)
    return prim


def _blend_shape(stage: Any, path: str, local: np.ndarray, move: TargetMove) -> Any:
    """The offsets of one movement on one part; None where it does not reach the part."""
    from pxr import UsdSkel, Vt

    inside, turned = local[move.moved] >= 0, local[move.turned] >= 0
    rows = np.union1d(local[move.moved[inside]], local[move.turned[turned]])
    if not len(rows):
        return None
    offsets, turns = np.zeros((len(rows), 3), np.float32), np.zeros((len(rows), 3), np.float32)
    offsets[np.searchsorted(rows, local[move.moved[inside]])] = move.offsets[inside]
    turns[np.searchsorted(rows, local[move.turned[turned]])] = move.turns[turned]
    shape = UsdSkel.BlendShape.Define(stage, path)
    shape.CreateOffsetsAttr(Vt.Vec3fArray.FromNumpy(offsets))
    shape.CreateNormalOffsetsAttr(Vt.Vec3fArray.FromNumpy(turns))
    shape.CreatePointIndicesAttr(rows.tolist())
    return shape


def _bind_material(stage: Any, prim: Any, part: Part, mesh: MeshFile, stem: str, textures: dict[str, bytes]) -> None:
    from pxr import Sdf, UsdShade

    material = part.material
    path = f"{_ROOT}/Materials/{part.name}"
    made = UsdShade.Material.Define(stage, path)
    shader = UsdShade.Shader.Define(stage, f"{path}/surface")
    shader.CreateIdAttr("UsdPreviewSurface")
    red, green, blue, opacity = material.colour
    shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).Set((red, green, blue))
    shader.CreateInput("opacity", Sdf.ValueTypeNames.Float).Set(opacity)
    shader.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(material.roughness)
    if material.alpha == "mask":
        shader.CreateInput("opacityThreshold", Sdf.ValueTypeNames.Float).Set(material.cutoff)
    shader.CreateInput("metallic", Sdf.ValueTypeNames.Float).Set(0.0)
    shader.CreateInput("clearcoat", Sdf.ValueTypeNames.Float).Set(material.clearcoat)
    shader.CreateInput("clearcoatRoughness", Sdf.ValueTypeNames.Float).Set(material.clearcoat_roughness)
    made.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
    reader = UsdShade.Shader.Define(stage, f"{path}/st")
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", Sdf.ValueTypeNames.Token).Set("st")
    reader.CreateOutput("result", Sdf.ValueTypeNames.Float2)

    def texture(kind: str, output: str, type_name: Any, target: str, *, raw: bool = True) -> None:
        file = f"{stem}_{kind}.png"
        if file not in textures:
            return
        node = UsdShade.Shader.Define(stage, f"{path}/{kind}")
        node.CreateIdAttr("UsdUVTexture")
        node.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(f"./{file}")
        node.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token).Set("raw" if raw else "sRGB")
        node.CreateInput("wrapS", Sdf.ValueTypeNames.Token).Set("repeat" if material.picture is not None else "clamp")
        node.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(reader.ConnectableAPI(), "result")
        if kind in _TINTS:
            scale, bias = _TINTS[kind]
            node.CreateInput("scale", Sdf.ValueTypeNames.Float4).Set(scale)
            node.CreateInput("bias", Sdf.ValueTypeNames.Float4).Set(bias)
        elif kind == part.name and output == "rgb" and material.colour != (1.0, 1.0, 1.0, 1.0):
            node.CreateInput("scale", Sdf.ValueTypeNames.Float4).Set(material.colour)
        node.CreateOutput(output, type_name)
        shader.CreateInput(target, type_name).ConnectToSource(node.ConnectableAPI(), output)

    if material.picture is not None:
        texture(part.name, "rgb", Sdf.ValueTypeNames.Color3f, "diffuseColor", raw=False)
        texture(part.name, "a", Sdf.ValueTypeNames.Float, "opacity", raw=False)
    elif material.textured:
        texture("diffuse", "rgb", Sdf.ValueTypeNames.Color3f, "diffuseColor", raw=False)
    if part.colours is not None and material.picture is None:
        node = UsdShade.Shader.Define(stage, f"{path}/opacity")
        node.CreateIdAttr("UsdPrimvarReader_float")
        node.CreateInput("varname", Sdf.ValueTypeNames.Token).Set("displayOpacity")
        node.CreateOutput("result", Sdf.ValueTypeNames.Float)
        shader.GetInput("opacity").ConnectToSource(node.ConnectableAPI(), "result")
    if material.detail:
        texture("normal", "rgb", Sdf.ValueTypeNames.Normal3f, "normal")
        texture("roughness", "r", Sdf.ValueTypeNames.Float, "roughness")
    UsdShade.MaterialBindingAPI.Apply(prim.GetPrim()).Bind(made)
