"""Subjects that lack what a report would like to measure: pictures alone, maps alone, a surface alone."""

from __future__ import annotations

from faceuv.models.base.subject import Claim, Subject, SubjectView
from faceuv.structures import UVMaps


class Pictures(Subject):
    """The teacher's pictures at half their brightness, and nothing else."""

    about = "half as bright as the teacher"
    claims = (Claim("Half is less", ("full", "method"), ("full", "linear"), ("l1",)),)

    def __init__(self, setting, name, brightness=0.5):
        super().__init__(setting, name)
        self.brightness = brightness

    def show(self, codes, targets):
        return SubjectView(targets.images * self.brightness)


class Maps(Subject):
    """The teacher's pictures with the linear albedo of each face as its map; which surface it lies on is not known."""

    about = "pictures and maps"
    capabilities = frozenset(("maps",))
    sides = 16

    def show(self, codes, targets):
        albedo = self.setting.mapper(codes).albedo
        colours = self.setting.renderer.face_model.albedo_map(albedo, self.sides, self.sides)
        return SubjectView(targets.images, maps=UVMaps(diffuse=colours))


class Surface(Subject):
    """The linear face, as something that has depth and normals but no coefficients shows it."""

    about = "depth and normals"
    capabilities = frozenset(("surface",))

    def show(self, codes, targets):
        view = self.setting.draw_over(targets)
        return SubjectView(view.image, view.mask, render=view.render)


class Boastful(Pictures):
    """Says that it has a surface."""

    capabilities = frozenset(("surface",))
