"""Materials and textures of a glTF file."""

from __future__ import annotations

from typing import Any

import numpy as np

from faceuv.export.gltf_buffer import Buffer
from faceuv.export.images import encode, to_bytes
from faceuv.export.mesh_file import MeshFile
from faceuv.export.parts import Material
from faceuv.export.png import fast_png

TEXTURE_KINDS = {"png": "image/png", "jpeg": "image/jpeg"}
CLEARCOAT = "KHR_materials_clearcoat"
SPECULAR = "KHR_materials_specular"
_LINEAR, _LINEAR_MIPMAP_LINEAR, _CLAMP, _REPEAT = 9729, 9987, 33071, 10497
_FILTERS = {"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP_LINEAR}


def materials(buffer: Buffer, mesh: MeshFile, texture_kind: str) -> dict[str, Any]:
    """The entries ``materials``, ``images``, ``samplers`` and ``textures``; the last three only where needed."""
    pictures = _Pictures(buffer)
    shared: dict[str, int] = {}
    if mesh.diffuse is not None:
        png = texture_kind == "png"
        data = fast_png(to_bytes(mesh.diffuse, "diffuse")) if png else encode(mesh.diffuse, kind="JPEG", name="diffuse")
        shared["diffuse"] = pictures.add("diffuse", data, TEXTURE_KINDS[texture_kind])
    detailed = any(part.material.detail for part in mesh.parts)
    if mesh.normal_map is not None and detailed:
        shared["normal"] = pictures.add("normal", fast_png(to_bytes(mesh.normal_map, "normal_map")))
    if mesh.roughness_map is not None and detailed:
        shared["roughness"] = pictures.add("roughness", _roughness_picture(mesh.roughness_map))
    found = []
    for part in mesh.parts:
        own = None
        if part.material.picture is not None:
            levels = np.rint(part.material.picture.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
            own = pictures.add(part.name, fast_png(levels), repeat=True)
        found.append(_entry(part.material, shared, own))
    return {"materials": found, **pictures.entries()}


class _Pictures:
    """Images, samplers and textures as they come."""

    def __init__(self, buffer: Buffer) -> None:
        self.buffer = buffer
        self.images: list[dict[str, Any]] = []
        self.textures: list[dict[str, int]] = []
        self.repeats: list[bool] = []

    def add(self, name: str, data: bytes, mime: str = "image/png", *, repeat: bool = False) -> int:
        """A picture file; the number of its texture."""
        self.images.append({"name": name, "mimeType": mime, "bufferView": self.buffer.view(data)})
        if repeat not in self.repeats:
            self.repeats.append(repeat)
        self.textures.append({"sampler": self.repeats.index(repeat), "source": len(self.images) - 1})
        return len(self.textures) - 1

    def entries(self) -> dict[str, Any]:
        if not self.images:
            return {}
        samplers = [_FILTERS | {"wrapS": _REPEAT if repeat else _CLAMP, "wrapT": _CLAMP} for repeat in self.repeats]
        return {"images": self.images, "samplers": samplers, "textures": self.textures}


def _entry(material: Material, shared: dict[str, int], own: int | None) -> dict[str, Any]:
    surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": material.roughness}
    entry: dict[str, Any] = {"name": material.name, "pbrMetallicRoughness": surface}
    if material.colour != (1.0, 1.0, 1.0, 1.0):
        surface["baseColorFactor"] = list(material.colour)
    if own is not None:
        surface["baseColorTexture"] = {"index": own}
    elif material.textured and "diffuse" in shared:
        surface["baseColorTexture"] = {"index": shared["diffuse"]}
    if material.detail and "normal" in shared:
        entry["normalTexture"] = {"index": shared["normal"]}
    if material.detail and "roughness" in shared:
        surface["roughnessFactor"] = 1.0
        surface["metallicRoughnessTexture"] = {"index": shared["roughness"]}
    if material.double_sided:
        entry["doubleSided"] = True
    if material.alpha != "opaque":
        entry["alphaMode"] = material.alpha.upper()
    if material.alpha == "mask":
        entry["alphaCutoff"] = material.cutoff
    if material.clearcoat:
        coat = {"clearcoatFactor": material.clearcoat, "clearcoatRoughnessFactor": material.clearcoat_roughness}
        entry["extensions"] = {CLEARCOAT: coat}
    if material.specular < 1:
        entry.setdefault("extensions", {})[SPECULAR] = {"specularFactor": material.specular}
    return entry


def _roughness_picture(roughness: np.ndarray) -> bytes:
    """glTF reads roughness from green and metalness from blue."""
    levels = np.zeros((*roughness.shape, 3), np.uint8)
    levels[..., 1] = np.rint(roughness * 255)
    return fast_png(levels)
