"""What used to pass the plan and fail hours later: wrong types, parts that do not go together, plug-ins' parts."""

from __future__ import annotations

import copy
import sys

import pytest
from mmengine.config import Config

from faceuv.engine.stages import run_stages
from faceuv.engine.stages.names import check_names, parts
from faceuv.errors import InputError, MissingDependency, UnknownName
from faceuv.models.base.method import BaseMethod
from faceuv.registry import HOOKS, LOSSES, METRICS, MODELS, Registry


def silent(line):
    """Instead of print."""


def changed(stages, path, value):
    made = copy.deepcopy(stages)
    *parents, last = path.split(".")
    at = made
    for name in parents:
        at = at[int(name)] if isinstance(at, list) else at[name]
    at[last] = value
    return made


@pytest.fixture
def plan_of(tiny, tmp_path, recipe):
    """``plan_of("uv.model.mask", None)`` makes and checks the plan of the tiny recipe, and runs nothing."""
    stages = tiny.tiny_recipe(tiny.write_teacher(tmp_path))

    def check(path=None, value=None):
        made = changed(stages, path, value) if path else stages
        plan = run_stages(recipe(**made), plan_only=True, log=silent)
        assert not (tmp_path / "work").exists()
        return plan

    return check


def test_the_recipe_itself_passes(plan_of):
    assert len(plan_of()) == 7


SPLIT = {"type": "CodeFits", "folder": "{fits}", "split": "train", "held_out": 40}


def visualizer_with(*names):
    """The config of a visualizer."""
    return {"type": "Visualizer", "vis_backends": [{"type": name} for name in names]}


SEEN = {"type": "GeneratorEMA", "modules": ["uv_generatr"]}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("uv.train_cfg", {"max_iter": 5}, "'uv': train_cfg has no setting 'max_iter'; .*'max_iters'"),
        ("uv.train_cfg", {"max_iters": 5, "val_intervall": 5}, "no setting 'val_intervall'.*'val_interval'"),
        ("uv.train_cfg", {}, "train_cfg needs max_iters=N, or by_epoch=True"),
        ("uv.train_cfg", {"max_iters": "5"}, "train_cfg.max_iters must be a whole number, got '5'"),
        ("uv.train_cfg", {"max_iters": 0}, "'uv', train_cfg.max_iters must be at least 1, got 0"),
        ("uv.train_dataloader.batchsize", 4, "train_dataloader has no setting 'batchsize'.*'batch_size'"),
        ("uv.train_dataloader.batch_size", 0, "train_dataloader.batch_size must be at least 1, got 0"),
        ("uv.train_dataloader.batch_size", 2.5, "train_dataloader.batch_size must be a whole number, got 2.5"),
        ("uv.train_dataloader.dataset", "CodeFits", r"dataset must be a dict\(type=…\), got 'CodeFits'"),
        ("uv.train_dataloader.dataset.held_out", "ten", "CodeFits.held_out must be a whole number, got 'ten'"),
        ("uv.optim_wrapper.uv_generatr", {}, "names 'uv_generatr'; StyleFaceUV trains uv_generator, disc"),
        ("mapper.optim_wrapper", {"constructor": "OptimizerPerModule"}, "no optimiser for mapper, which CoefficientM"),
        ("mapper.optim_wrapper.mapper.optimizer.lr", -1, "mapper.optimizer.lr must be at least 0, got -1"),
        ("mapper.optim_wrapper.mapper.precision", "float16", "float16 training needs a GPU"),
        ("mapper.optim_wrapper.mapper.precision", "half", "precision must be one of float32, bfloat16, float16"),
        ("mapper.optim_wrapper.mapper.clip", 1, "OptimWrapper has no setting 'clip'"),
        ("uv.custom_hooks", [SEEN], "GeneratorEMA.modules names 'uv_generatr'; .*Did you mean 'uv_generator'"),
        ("uv.custom_hooks", 5, "custom_hooks must be a list of dict"),
        ("uv.val_evaluator", {"type": "FrechetDistance", "features": {"type": "InceptionFeatures"}}, "belong together"),
        ("uv.model.losses.percept", {"type": "DiscriminatorPerceptual", "zoo": "teacher_64"},
         "mixes two generators: .*for 16² pictures, .*percept for 64² pictures|.*for 64² pictures.* for 16² pictures"),
        ("report.features", {"type": "DiscriminatorFeatures", "zoo": "teacher_64"}, "'report' mixes two generators"),
        ("uv.model.renderer", {"type": "torch", "antialias": "egdes"}, "antialias must be 'edges'"),
        ("uv.model.mapper", 5, "StyleFaceUV.mapper must be .*, got 5"),
        ("uv.model.uv_generator", {"channel_max": 4}, "'uv', model: uv_generator has no setting 'channel_max'"),
        ("fits.cuont", 5, "'fits': the stage has no setting 'cuont'; .*Did you mean 'count'"),
        ("fits.count", "many", "'fits': the stage.count must be a whole number, got 'many'"),
        ("fits.count", 2**70, "count must be within 64 bits"),
        ("fits.seed", -1, "'fits', seed must be at least 0"),
        ("fits.truncation", float("nan"), "truncation must be a finite number"),
        ("fits.truncation", -1.0, "'fits', truncation must be at least 0, got -1.0"),
        ("uv.model.losses.photo.weight", -1.0, "losses.photo.weight must be at least 0, got -1.0"),
        ("mapper.param_scheduler", {"mapper": [{"type": "CosineAnnealingLR", "T_max": 0}]}, "T_max must be at least 1"),
        ("uv.resume", "maybe", "own newest checkpoint, resume='maybe' is not for it: .* WarmStart"),
        ("uv.load_from", "missing.pth", "own newest checkpoint, load_from='missing.pth' is not for it"),
        ("fits.count", 1, "'mapper', train_data.*: it has 1 of the 1 samples of 'fits', and needs 4 .*fits.count$"),
        ("fits.count", 2, "has 2 of the 2 samples of 'fits', and needs 4 for batch_size=4: raise .*lower batch_size"),
        ("mapper.train_dataloader.batch_size", 5000, "it has 40 of the 40 samples of 'fits', and needs 5,000"),
        ("mapper.train_dataloader.dataset.limit", 3, "it has 3 of the 40 samples of 'fits', and needs 4"),
        ("uv.train_dataloader.dataset", SPLIT, "dataset: held_out=40 keeps one sample of 40 for evaluation"),
        ("uv.train_dataloader.dataset", {"type": "SyntheticFaces", "length": 3}, "batch_size=4 is more .*length=3"),
        ("uv.model.mapper", "{mapper}/maper.safetensors", "model.mapper: the stage 'mapper' leaves no file 'maper.saf"),
        ("uv.model.discriminator", "{teacher}/critic.safetensors", "it leaves generator.*, discriminator.safetensors"),
        ("report.subjects.ours.path", "{uv}/uv.safetensors", "subjects.ours.path: the stage 'uv' leaves no file"),
        ("direction.mapper", "{fits}/mapper.safetensors", r"it leaves fits_\*.safetensors"),
        ("uv.custom_hooks.0.modules", ["discriminator"], "'discriminator', which only judges: .*average uv_generator"),
        ("uv.env_cfg", {"cudnn": 3}, "'uv': env_cfg has no setting 'cudnn'; it has cudnn_benchmark, mp_cfg"),
        ("uv.env_cfg", {"cudnn_benchmark": 3}, "env_cfg.cudnn_benchmark must be True or False, got 3"),
        ("uv.env_cfg", {"mp_cfg": {"mp_start_method": "forkk"}}, "mp_start_method must be 'fork', 'spawn' or"),
        ("uv.log_level", "INFOO", "'uv': log_level must be 'CRITICAL', .*, got 'INFOO'"),
        ("uv.log_processor", {"windo": 3}, "log_processor: LogProcessor has no setting 'windo'.*'window_size'"),
        ("uv.visualizer", {"type": "Vizualizer"}, "'uv', visualizer: no visualizer is called 'Vizualizer'"),
        ("uv.visualizer", visualizer_with("Tensorbord"), "vis_backends.0: no log backend is called 'Tensorbord'"),
        ("uv.visualizer", {"type": "Visualizer", "vis_backends": ["x"]}, "vis_backends must be a list of dict"),
        ("uv.model_wrapper_cfg", {"type": "No"}, "model_wrapper_cfg: no model wrapper is called 'No'"),
        ("uv.compile", {"backnd": "x"}, "compile has no setting 'backnd'; .*Did you mean 'backend'"),
        ("uv.compile", 5, "compile must be True or False, got 5"),
        ("uv.auto_scale_lr", {"base_batch_size": "a"}, "base_batch_size must be a whole number, got 'a'"),
        ("uv.sync_bn", "x", "sync_bn must be 'torch' or 'mmcv', got 'x'"),
        ("uv.launcher", "x", "launcher must be 'none', 'pytorch', 'slurm' or 'mpi', got 'x'"),
        ("uv.randomness", {"deterministic": "x"}, "randomness.deterministic must be True or False, got 'x'"),
        ("direction.finder.samples", 0, "samples must be at least 1"),
        ("report.protocol", 5, "the report.protocol must be a dict, got 5"),
        ("report.facs", 5, "the report has no setting 'facs'.*Did you mean 'faces'"),
        ("teacher.size", "256", "the stage.size must be a whole number or None, got '256'"),
        ("mapper.randomness", {"sed": 1}, "randomness has no setting 'sed'.*'seed'"),
        ("mapper.randomness", {"seed": 2**32}, "seed must be a whole number from 0 to 4,294,967,295"),
    ],
)  # fmt: skip
def test_wrong_settings(plan_of, path, value, message):
    with pytest.raises((InputError, UnknownName), match=message) as caught:
        plan_of(path, value)
    assert "\n" not in str(caught.value)


def test_a_split_leaves_two_samples_for_evaluation(plan_of):
    plan_of("uv.train_dataloader.dataset", {**SPLIT, "held_out": 39})


def test_stages_that_do_not_run_ask_for_no_samples(tiny, tmp_path, recipe):
    stages = changed(tiny.tiny_recipe(tiny.write_teacher(tmp_path)), "fits.count", 1)
    short = {name: stages[name] for name in ("teacher", "fits", "mapper")}
    run_stages(recipe(teacher=short["teacher"]), log=silent)
    run_stages(recipe(**short), only="fits", plan_only=True, log=silent)


def test_every_method_that_exports_says_what():
    methods = {name: MODELS.get(name) for name in MODELS.names()}
    silent_ones = [
        name for name, one in methods.items() if "export" in vars(one) and getattr(one, "exports", None) is None
    ]
    assert not silent_ones


def test_a_batch_may_be_all_samples(plan_of):
    plan_of("mapper.train_dataloader.batch_size", 40)


class TestSharedSettings:
    """What the recipe sets for all of its trainings."""

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("env_cfg", {"cudnn": 3}, "the recipe: env_cfg has no setting 'cudnn'"),
            ("log_level", 3.5, "the recipe: log_level must be"),
            ("log_processor", {"type": "LogProcessor", "window_size": "x"}, "window_size must be a whole number"),
            ("visualizer", visualizer_with("Tensorbord"), "the recipe, visualizer.vis_backends.0: no log backend"),
        ],
    )
    def test_they_are_checked(self, tiny, tmp_path, recipe, key, value, message):
        config = recipe(**tiny.tiny_recipe(tiny.write_teacher(tmp_path)))
        config[key] = value
        with pytest.raises((InputError, UnknownName), match=message) as caught:
            run_stages(config, plan_only=True, log=silent)
        assert "\n" not in str(caught.value)

    def test_tensorboard_that_is_not_installed(self, tiny, tmp_path, recipe, monkeypatch):
        config = recipe(**tiny.tiny_recipe(tiny.write_teacher(tmp_path)))
        config["visualizer"] = visualizer_with("LocalVisBackend", "TensorboardVisBackend")
        monkeypatch.setitem(sys.modules, "tensorboard", None)
        for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
            monkeypatch.delitem(sys.modules, name)
        with pytest.raises(
            MissingDependency, match=r"vis_backends.1: .* needs TensorBoard .*faceuv\[train\]"
        ) as caught:
            run_stages(config, plan_only=True, log=silent)
        assert "\n" not in str(caught.value)


class TestModels:
    """What a hook or an evaluation needs of a method."""

    @pytest.fixture
    def bare(self, monkeypatch):
        """A method that trains, and shows and predicts nothing."""

        class Bare(BaseMethod):
            def __init__(self, losses=None):
                super().__init__(losses)

            def train_step(self, data, optim_wrapper):
                return {}

        monkeypatch.setitem(MODELS._module_dict, "Bare", Bare)
        return {
            "type": "train", "model": {"type": "Bare"}, "train_cfg": {"max_iters": 1},
            "optim_wrapper": {"optimizer": {"type": "Adam", "lr": 1e-3}},
            "train_dataloader": {
                "batch_size": 1, "dataset": {"type": "SyntheticFaces", "size": 16},
                "sampler": {"type": "SeekableSampler"},
            },
        }  # fmt: skip

    def plan(self, recipe, stage):
        return run_stages(recipe(only=stage), plan_only=True, log=silent)

    def test_sheets_without_sample_images(self, bare, recipe):
        self.plan(recipe, bare)
        bare["custom_hooks"] = [{"type": "ImageSheets", "interval": 5}]
        with pytest.raises(InputError, match="the hook ImageSheets needs Bare.sample_images, which it does not have"):
            self.plan(recipe, bare)

    def test_an_evaluation_without_forward(self, bare, recipe):
        bare |= {"val_cfg": {}, "val_dataloader": bare["train_dataloader"], "val_evaluator": {"type": "Reconstruction"}}
        with pytest.raises(InputError, match="Bare has no forward.data., so it cannot be evaluated"):
            self.plan(recipe, bare)

    def test_a_device_that_is_not_here(self, bare, recipe, monkeypatch):
        monkeypatch.setattr("torch.cuda.is_available", lambda: False)
        bare["train_dataloader"]["dataset"]["device"] = "cuda"
        with pytest.raises(InputError, match="dataset: device='cuda' needs a GPU, and CUDA finds none here"):
            self.plan(recipe, bare)


class TestPlugIns:
    """Parts of a kind that faceuv does not know are checked like its own."""

    @pytest.fixture
    def textures(self):
        registry = Registry("texture", keys=["texture"], groups=["textures"], bare=True)

        @registry.register_module()
        class Wool:
            """Of sheep."""

            part_keys = {"judge": METRICS}

            def __init__(self, colour: str = "white", judge: dict | None = None) -> None:
                pass

        yield registry
        Registry.every.remove(registry)

    @pytest.mark.parametrize(
        ("config", "error", "message"),
        [
            ({"texture": {"type": "Wol"}}, UnknownName, "here, model.texture: no texture is called 'Wol'.*'Wool'"),
            ({"texture": "Wol"}, UnknownName, "here, model.texture: no texture is called 'Wol'"),
            ({"texture": {"type": "Wool", "color": "red"}}, InputError, "Wool has no setting 'color'.*'colour'"),
            ({"texture": {"type": "Wool", "colour": 3}}, InputError, "Wool.colour must be a string, got 3"),
            ({"texture": {"type": "Wool", "judge": {"type": "No"}}}, UnknownName, "texture.judge: no metric is called"),
            ({"textures": {"a": {"type": "Wol"}}}, UnknownName, "model.textures.a: no texture is called"),
            ({"textures": {"a": 5}}, InputError, "model.textures.a: a texture is dict"),
            (
                {"textures": {"a": {"type": "Wool", "judge": {"type": "No"}}}},
                UnknownName,
                "textures.a.judge: no metric",
            ),
        ],
    )
    def test_they_are_looked_up(self, textures, config, error, message):
        with pytest.raises(error, match=message):
            check_names({"model": config}, "here")

    def test_other_keys_mean_nothing(self, textures):
        check_names({"judge": {"type": "No"}, "other": {"texture": {"type": "Wool"}}, "texture": "Wool"}, "here")


def test_every_part_is_found_once(tiny, tmp_path):
    config = Config(tiny.tiny_recipe(tiny.write_teacher(tmp_path))).to_dict()["uv"]
    found = [(part.registry, part.where.partition(", ")[2]) for part in parts(config, "uv")]
    assert len(found) == len(set(found))
    assert {(LOSSES, "model.losses.photo"), (HOOKS, "custom_hooks.0"), (MODELS, "model")} <= set(found)
