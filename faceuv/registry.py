"""The registries of faceuv: configs name parts, registries build them.

Registries of our own kinds (renderers, face models, losses, …) have no parent. Those of kinds that MMEngine also knows
(models, metrics, datasets, hooks, …) are children of MMEngine's root registries: its Runner finds our parts, and a
config of ours finds MMEngine's.

A part registers itself::

    from faceuv.registry import RENDERERS

    @RENDERERS.register_module(name="mine")
    class MyRenderer(Renderer): ...

and is built by name: ``RENDERERS.build(dict(type="mine", antialias=None))``. Packages that declare the entry-point
group ``faceuv.plugins`` are imported on the first look-up.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry as MMEngineRegistry

from faceuv.errors import InputError, UnknownName, did_you_mean
from faceuv.plugins import load_plugins


class Registry(MMEngineRegistry):
    """A registry that imports its parts on the first look-up. The error for an unknown name lists the known ones.

    Args:
        name: the kind of part, in the singular, for messages (``"renderer"``).
        locations: modules that register the built-in parts; imported on the first look-up, so that
            ``import faceuv`` stays light.
        needs: name → what to install, for parts of optional packages.
        parent: MMEngine's root registry of the same kind, if there is one.
        parent_module: the module of MMEngine that fills the parent; imported when a name is not found here.
        keys: config keys that hold one of its parts or a list of them (``("renderer",)``): a plan checks those before
            anything runs. A part can declare more keys of its own settings, by a class attribute ``part_keys =
            {"judge": METRICS}``.
        groups: config keys of dicts whose entries are its parts (``losses=dict(photo=dict(type=…))``).
        bare: whether a string under one of the keys names a part, too.
        beside: keys that are allowed beside a part's own settings, such as the weight of a loss.
        taken: settings that the caller of ``build`` reads, not the part.
    """

    every: ClassVar[list[Registry]] = []
    """All registries, ours and those of plug-ins."""

    def __init__(
        self,
        name: str,
        *,
        locations: Sequence[str] = (),
        needs: Mapping[str, str] | None = None,
        parent: MMEngineRegistry | None = None,
        parent_module: str | None = None,
        keys: Sequence[str] = (),
        groups: Sequence[str] = (),
        bare: bool = False,
        beside: Sequence[str] = (),
        taken: Sequence[str] = (),
    ) -> None:
        super().__init__(name, parent=parent, scope="faceuv")
        self.keys, self.groups, self.bare, self.beside = tuple(keys), tuple(groups), bare, tuple(beside)
        self.taken = tuple(taken)
        Registry.every.append(self)
        self._own_locations = tuple(locations)
        self._needs = dict(needs or {})
        self._parent_module = parent_module
        self._filled = False

    def _fill(self) -> None:
        if self._filled:
            return
        self._filled = True  # first: the modules below import this one and may look something up themselves
        try:
            for location in self._own_locations:
                importlib.import_module(location)
            load_plugins()
        except BaseException:
            self._filled = False
            raise

    def _register_module(self, module: Any, module_name: Any = None, force: bool = False) -> None:
        names = [module_name] if isinstance(module_name, str) else module_name or [module.__name__]
        for name in names:
            if name in self._module_dict and not force:
                known = self._module_dict[name]
                raise InputError(
                    f"two parts are registered as the {self.name} {name!r}: {known.__qualname__} of {known.__module__}"
                    f" and {module.__qualname__} of {module.__module__}; give one of them another name"
                )
        super()._register_module(module, module_name, force)

    def names(self) -> list[str]:
        """The registered names, sorted."""
        self._fill()
        return sorted(self._module_dict)

    def name_of(self, part: Any) -> str:
        """The name under which a class or function is registered; its own name if it is not."""
        self._fill()
        found = [name for name, known in self._module_dict.items() if known is part]
        return found[0] if found else str(part.__name__)

    def get(self, key: str) -> Any:
        """The class or function registered under ``key``; :class:`UnknownName` if there is none."""
        if not isinstance(key, str):
            raise UnknownName(f"a {self.name} is named by a string, got {type(key).__name__}: {key!r}")
        self._fill()
        plain = key.removeprefix("faceuv.")
        if plain in self._module_dict:
            return self._module_dict[plain]
        if self.parent is not None:
            if self._parent_module is not None:
                importlib.import_module(self._parent_module)
            found = self._of_relatives(key)
            if found is not None:
                return found
        raise UnknownName(self._unknown(key))

    def _of_relatives(self, key: str) -> Any:
        """What MMEngine, or another package with registries of the same kinds, has registered as ``key``.

        MMEngine's own look-up would import any dotted name; this one finds registered names only.
        """
        scope, _, name = key.rpartition(".")
        ancestor: Any = self.parent
        while ancestor is not None:
            if scope in ("", ancestor.scope) and name in ancestor.module_dict:
                return ancestor.module_dict[name]
            if scope in ancestor.children:
                return ancestor.children[scope].module_dict.get(name)
            ancestor = ancestor.parent
        return None

    def build(self, cfg: Any, *args: Any, **kwargs: Any) -> Any:
        """Build from ``dict(type=name, …)`` or from a bare name; an object that is already built passes through."""
        if isinstance(cfg, str):
            cfg = {"type": cfg}
        if not isinstance(cfg, Mapping):
            return cfg
        if "type" not in cfg:
            raise UnknownName(
                f"the config of a {self.name} needs a 'type', got keys {sorted(cfg)}; known: {self._known()}"
            )
        kind = cfg["type"]
        if isinstance(kind, str):
            part = self.get(kind)
            arguments = {key: value for key, value in cfg.items() if key != "type"}
            if plain_class_is_ours(part):
                return _construct(self.name, kind, part, args, {**kwargs, **arguments})
        return super().build(cfg, *args, **kwargs)

    def summaries(self) -> dict[str, str]:
        """Name → first paragraph of the docstring, for ``faceuv list``."""
        self._fill()
        docs = {name: self._module_dict[name].__doc__ or "" for name in self.names()}
        return {name: " ".join(doc.strip().split("\n\n")[0].split()) for name, doc in docs.items()}

    def _known(self) -> str:
        return ", ".join(self._candidates()) or "none yet"

    def _candidates(self) -> list[str]:
        """The names to choose from: ours, or MMEngine's where none is ours."""
        return self.names() or sorted(self.parent.module_dict if self.parent is not None else ())

    def _unknown(self, key: str) -> str:
        message = f"no {self.name} is called {key!r}; known: {self._known()}"
        if key in self._needs:
            return f"{message}. {key!r} needs {self._needs[key]}"
        if "." in key:
            return (
                f"{message}. A dotted name is not imported: register the part, or give the class itself in a .py config"
            )
        return message + did_you_mean(key, [*self._candidates(), *self._needs])


def plain_class_is_ours(part: Any) -> bool:
    """Whether this part is not of MMEngine, whose build has special rules for ``Runner`` and others."""
    module = getattr(part, "__module__", "") or ""
    return not module.startswith("mmengine")


def _construct(kind: str, name: str, part: Any, args: tuple[Any, ...], arguments: dict[str, Any]) -> Any:
    if hasattr(part, "check_config"):
        part.check_config(arguments)
    try:
        return part(*args, **arguments)
    except TypeError as error:
        if _fits(part, args, arguments):  # the constructor's own complaint
            raise TypeError(f"cannot build the {kind} {name!r} with {sorted(arguments)}: {error}") from error
        known = ", ".join(n for n in inspect.signature(part).parameters if n != "self")
        raise InputError(f"cannot build the {kind} {name!r}: {error}; it takes {known or 'no arguments'}") from error


def _fits(part: Any, args: tuple[Any, ...], arguments: dict[str, Any]) -> bool:
    """Whether the arguments are those that a constructor takes."""
    try:
        inspect.signature(part).bind(*args, **arguments)
    except TypeError:
        return False
    except ValueError:  # a class that tells nobody what it takes
        return True
    return True


# Our own kinds: no parent, because MMEngine has nothing of the sort.
RENDERERS = Registry("renderer", locations=["faceuv.renderers"], keys=["renderer"], bare=True)
FACE_MODELS = Registry("face model", locations=["faceuv.models.faces"], keys=["face_model", "fit_model"], bare=True)
DIRECTION_FINDERS = Registry("direction finder", locations=["faceuv.models.directions"], keys=["finder"])
LOSSES = Registry("loss", locations=["faceuv.losses", "faceuv.models.liftedgan"], groups=["losses"], beside=["weight"])
GENERATORS = Registry(
    "generator",
    locations=[
        "faceuv.models.stylegan2",
        "faceuv.models.stylefaceuv",
        "faceuv.synthetic.cats",
        "faceuv.synthetic.generator",
    ],
    keys=["generator", "teacher"],
)
FACE_GENERATORS = Registry(
    "face generator",
    locations=[
        "faceuv.models.stylefaceuv",
        "faceuv.models.liftedgan",
        "faceuv.models.stylerig",
        "faceuv.models.inversion",
    ],
)
LANDMARK_DETECTORS = Registry("landmark detector", locations=["faceuv.fitting.landmarks"], keys=["detector"], bare=True)
FIT_STEPS = Registry("fitting step", locations=["faceuv.fitting"], keys=["schedule"])
STAGES = Registry("stage", locations=["faceuv.engine.stages"])
SUBJECTS = Registry(
    "subject",
    locations=[
        "faceuv.models.stylefaceuv.subjects",
        "faceuv.models.liftedgan.subjects",
        "faceuv.models.stylerig.subjects",
        "faceuv.models.inversion.subjects",
    ],
    groups=["subjects"],
)
INVERTERS = Registry("inverter", locations=["faceuv.models.inversion"], keys=["inverter"], groups=["inverters"])
COEFFICIENT_SOURCES = Registry(
    "coefficient source", locations=["faceuv.fitting.sources", "faceuv.models.stylefaceuv"], keys=["source"]
)

# Children of MMEngine's roots: one for every root, because its Runner searches each of them in the scope "faceuv" and
# complains of every one that it does not find. The training engine fills most of those that are not empty.
_ENGINE = ["faceuv.engine"]
MODELS = Registry(
    "model",
    locations=[
        "faceuv.models.stylegan2",
        "faceuv.models.stylegan2.training",
        "faceuv.models.readers",
        "faceuv.models.readers.landmark_training",
        "faceuv.models.readers.regressor_training",
        "faceuv.models.stylefaceuv.method",
        "faceuv.models.stylefaceuv.mapper_training",
        "faceuv.models.stylefaceuv.stepper_training",
        "faceuv.models.liftedgan.method",
        "faceuv.models.stylerig.method",
        "faceuv.models.stylerig.self_supervised",
        "faceuv.models.inversion.encoding",
        "faceuv.models.inversion.detailing",
        "faceuv.evaluation",
    ],
    keys=["model", "network", "features", "discriminator"],
    parent=mmengine_registry.MODELS,
    parent_module="mmengine.model",
)
METRICS = Registry(
    "metric",
    locations=["faceuv.evaluation"],
    keys=["val_evaluator", "test_evaluator"],
    parent=mmengine_registry.METRICS,
    parent_module="mmengine.evaluator",
)
DATASETS = Registry(
    "dataset",
    locations=[
        "faceuv.synthetic.dataset",
        "faceuv.synthetic.mixed",
        "faceuv.data.cached",
        "faceuv.data.codes",
        "faceuv.data.drawn",
        "faceuv.models.liftedgan",
    ],
    keys=["dataset"],
    parent=mmengine_registry.DATASETS,
    parent_module="mmengine.dataset",
)
HOOKS = Registry(
    "hook",
    locations=_ENGINE,
    keys=["custom_hooks"],
    groups=["default_hooks"],
    parent=mmengine_registry.HOOKS,
    parent_module="mmengine.hooks",
)
RUNNERS = Registry("runner", locations=_ENGINE, parent=mmengine_registry.RUNNERS, parent_module="mmengine.runner")
LOOPS = Registry("loop", locations=_ENGINE, parent=mmengine_registry.LOOPS, parent_module="mmengine.runner")
DATA_SAMPLERS = Registry(
    "data sampler",
    locations=_ENGINE,
    keys=["sampler"],
    parent=mmengine_registry.DATA_SAMPLERS,
    parent_module="mmengine.dataset",
)
MODEL_WRAPPERS = Registry(
    "model wrapper",
    locations=_ENGINE,
    keys=["model_wrapper_cfg"],
    parent=mmengine_registry.MODEL_WRAPPERS,
    parent_module="mmengine.model",
)
OPTIM_WRAPPERS = Registry(
    "optimizer wrapper", locations=_ENGINE, parent=mmengine_registry.OPTIM_WRAPPERS, parent_module="mmengine.optim"
)
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    "optimizer wrapper constructor",
    locations=_ENGINE,
    parent=mmengine_registry.OPTIM_WRAPPER_CONSTRUCTORS,
    parent_module="mmengine.optim",
)
LOG_PROCESSORS = Registry(
    "log processor",
    locations=_ENGINE,
    keys=["log_processor"],
    parent=mmengine_registry.LOG_PROCESSORS,
    parent_module="mmengine.runner",
)
VISBACKENDS = Registry(
    "log backend",
    locations=_ENGINE,
    keys=["vis_backends"],
    parent=mmengine_registry.VISBACKENDS,
    parent_module="mmengine.visualization",
)
OPTIMIZERS = Registry(
    "optimizer", keys=["optimizer"], parent=mmengine_registry.OPTIMIZERS, parent_module="mmengine.optim"
)
PARAM_SCHEDULERS = Registry(
    "parameter scheduler",
    keys=["param_scheduler"],
    groups=["param_scheduler"],
    taken=["convert_to_iter_based"],
    parent=mmengine_registry.PARAM_SCHEDULERS,
    parent_module="mmengine.optim",
)
EVALUATOR = Registry("evaluator", parent=mmengine_registry.EVALUATOR, parent_module="mmengine.evaluator")
VISUALIZERS = Registry(
    "visualizer",
    keys=["visualizer"],
    parent=mmengine_registry.VISUALIZERS,
    parent_module="mmengine.visualization",
)
TRANSFORMS = Registry("transform", parent=mmengine_registry.TRANSFORMS)
FUNCTIONS = Registry("function", parent=mmengine_registry.FUNCTIONS, parent_module="mmengine.dataset")
WEIGHT_INITIALIZERS = Registry(
    "weight initializer", parent=mmengine_registry.WEIGHT_INITIALIZERS, parent_module="mmengine.model"
)
TASK_UTILS = Registry("task utility", parent=mmengine_registry.TASK_UTILS)
INFERENCERS = Registry("inferencer", parent=mmengine_registry.INFERENCERS)
STRATEGIES = Registry("strategy", parent=mmengine_registry.STRATEGIES)
RUNNER_CONSTRUCTORS = Registry("runner constructor", parent=mmengine_registry.RUNNER_CONSTRUCTORS)


def all_registries() -> dict[str, Registry]:
    """Registries by their names in ``faceuv list renderers``."""
    return {
        "renderers": RENDERERS,
        "face_models": FACE_MODELS,
        "direction_finders": DIRECTION_FINDERS,
        "losses": LOSSES,
        "generators": GENERATORS,
        "face_generators": FACE_GENERATORS,
        "landmark_detectors": LANDMARK_DETECTORS,
        "fit_steps": FIT_STEPS,
        "stages": STAGES,
        "coefficient_sources": COEFFICIENT_SOURCES,
        "inverters": INVERTERS,
        "subjects": SUBJECTS,
        "models": MODELS,
        "metrics": METRICS,
        "datasets": DATASETS,
        "hooks": HOOKS,
        "runners": RUNNERS,
        "loops": LOOPS,
        "data_samplers": DATA_SAMPLERS,
        "model_wrappers": MODEL_WRAPPERS,
        "optim_wrappers": OPTIM_WRAPPERS,
        "optim_wrapper_constructors": OPTIM_WRAPPER_CONSTRUCTORS,
        "log_processors": LOG_PROCESSORS,
        "log_backends": VISBACKENDS,
    }
