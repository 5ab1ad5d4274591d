"""Bad input on the command line and in configs: one line on stderr, exit code 2, nothing written.

Every row runs ``main([...])`` in this process. The table is by family; a row is what is typed, and words of the answer.
"""

from __future__ import annotations

import itertools
import json
import re

import pytest

from faceuv.cli.main import in_words, main
from faceuv.engine import load_config
from faceuv.engine.compat.configs import without_layout

BIG = str(10**30)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The 64² recipe of StyleFaceUV as one plain file, which loads quickly."""
    path = tmp_path_factory.mktemp("recipe") / "recipe.py"
    return plain(load_config("stylefaceuv_64"), path)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """The training of the regressor as one plain file."""
    path = tmp_path_factory.mktemp("single") / "single.py"
    return plain(load_config("regressor_synthetic"), path)


def plain(config, path):
    without_layout(config)
    config.dump(path)
    return path


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; it must answer in one line that matches, and write nothing."""
    monkeypatch.chdir(tmp_path)

    def check(words, message, code=2, made=()):
        before = sorted(tmp_path.rglob("*"))
        assert main([str(word) for word in words]) == code
        error = capsys.readouterr().err
        assert error.count("\n") == 1, error
        assert error.startswith("faceuv: error: ")
        assert len(error) < 1500
        assert "Traceback" not in error
        assert re.search(message, error), error
        assert sorted(tmp_path.rglob("*")) == [*before, *made]

    return check


# ----------------------------------------------------------------------------------------------- options by themselves

WHOLE = {
    "sample --num": 0, "sample --seed": -1, "sample --size": 0, "render --seed": -1, "render --size": 0,
    "render --frames": 0, "generate yaw --seeds": -1, "generate yaw --size": 0, "generate interpolation --steps": 0,
    "generate turntable --frames": 0, "fit x.png --size": 0, "fit x.png --every": 0, "fit x.png --batch-size": 0,
    "train quick --seed": -1, "test quick x.pth --seed": -1,
}  # fmt: skip
REAL = [
    "render --yaw-deg", "render --pitch-deg", "render --roll-deg", "generate yaw --truncation", "generate yaw --yaws",
    "generate turntable --fps", "generate turntable --swing-deg", "generate edits --sigmas",
]  # fmt: skip
NUMBERS = [
    *[(option, "x", "expected a whole number, got 'x'") for option in WHOLE],
    *[(option, "1.5", "expected a whole number, got '1.5'") for option in WHOLE],
    *[(option, "", "expected a whole number, got ''") for option in WHOLE],
    *[(option, least, "must be at least") for option, least in WHOLE.items()],
    *[(option, BIG, "must be at most") for option in WHOLE],
    *[(option, "x", "expected a number, got 'x'") for option in REAL],
    *[(option, "nan", "must lie in") for option in REAL],
    *[(option, "inf", "must lie in") for option in REAL],
    *[(option, "1e300", "must lie in") for option in REAL],
    ("generate turntable --fps", "0.001", "must lie in 0.1 … 1000"),
    ("generate turntable --fps", "0", "must lie in 0.1 … 1000"),
    ("sample --size", "100000", "must be at most 8,192"),
    ("fit x.png --size", "1000000", "must be at most 8,192"),
    ("train quick --seed", 2**32, "must be at most 4,294,967,295"),
]


@pytest.mark.parametrize(("option", "value", "message"), NUMBERS)
def test_numbers(refused, option, value, message):
    words = option.split()
    words[-1] = f"{words[-1]}={value}"
    refused(words, f"--[a-z-]+:? {re.escape(message)}.*--help lists the options")


WORDS = [
    ("", "the following arguments are required: COMMAND|COMMAND"),
    ("smaple", "invalid choice: 'smaple'"),
    ("sample --nmu 3", "unrecognized arguments: --nmu 3"),
    ("sample --num", "--num: expected one argument"),
    ("train", "required: CONFIG"),
    ("test", "required: CONFIG, CKPT"),
    ("test quick", "required: CKPT"),
    ("direction", "required: CONFIG"),
    ("fit", "required: IMAGES"),
    ("train quick --launcher ssh", "invalid choice: 'ssh'"),
    ("train quick --cfg-options", "expected at least one argument"),
    ("train quick --stage", "expected one argument"),
    ("train quick --from", "expected one argument"),
    ("train quick --amp=yes", "ignored explicit argument 'yes'"),
    ("fit x.png --framing round", "invalid choice: 'round'"),
    ("generate", "required"),
    ("generate dance", "invalid choice"),
    ("convert", "required"),
    ("list nothing", "nothing"),
    ("sample --size 1 2", "unrecognized arguments: 2"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message"), WORDS)
def test_words(refused, line, message):
    refused(line.split(), message)


# ----------------------------------------------------------------------------------------------- which config

CONFIGS = [
    (["train", "nothing"], "no config at nothing; give a file, or one of the recipes of faceuv: ablations_64"),
    (["train", "stylefaceuv_65"], "Did you mean 'stylefaceuv_64'"),
    (["train", "stylefaceuv_64.yaml"], "no config at stylefaceuv_64.yaml"),
    (["train", "stylefaceuv_64.json", "--plan"], "no config at stylefaceuv_64.json"),
    (["train", "configs/nothing.py"], "no config at configs/nothing.py"),
    (["train", "."], "no config at ."),
    (["train", ""], "no config at"),
    (["direction", "nothing"], "no config at nothing"),
    (["test", "nothing", "x.pth"], "no config at nothing"),
    (["test", "mapper_64", "x.pth"], "no checkpoint at x.pth"),
    (["test", "regressor_synthetic", "x.pth"], "no checkpoint at x.pth"),
    (["train", "regressor_synthetic", "--resume", "x.pth"], "no checkpoint at x.pth"),
    (["train", "regressor_synthetic", "--load-from", "x.pth"], "no checkpoint at x.pth"),
    (["train", "regressor_synthetic", "--resume", "--load-from", "x.pth"], "choose one of them"),
    (["train", "regressor_synthetic", "--stage", "fits"], "are for configs with stages"),
    (["train", "regressor_synthetic", "--from", "fits"], "are for configs with stages"),
    (["train", "regressor_synthetic", "--verify"], "are for configs with stages"),
    (["train", "regressor_synthetic", "--clean"], "are for configs with stages"),
    (["train", "mapper_64", "--resume", "x.pth"], "has stages, and each .* leave --resume out"),
    (["train", "mapper_64", "--load-from", "x.pth"], "has stages, and each .* in its config"),
    (["train", "mapper_64", "--stage", "maper"], "the stages are fits, mapper. Did you mean 'mapper'"),
    (["train", "mapper_64", "--from", "uv"], "--from uv: the stages are fits, mapper"),
    (["train", "mapper_64", "--stage", "mapper"], "needs 'fits', which is missing: run it too, with --from fits"),
    (["test", "regressor_synthetic", "x.pth", "--stage", "fits"], "--stage is for configs with stages"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), CONFIGS)
def test_which_config(refused, words, message):
    refused(words, message)


# ----------------------------------------------------------------------------------------------- config files

MODEL = 'model = dict(type="StyleGAN2")\n'
FILES = [
    ("a.py", "model = dict(", "cannot read the config .*SyntaxError"),
    ("a.py", "import nosuchmodule\n", "cannot|nosuchmodule"),
    ("a.py", "1 / 0\n", "cannot read the config .*ZeroDivisionError"),
    ("a.py", "raise ValueError('mine\\nand more')\n", "cannot read the config .*ValueError: mine and more"),
    ("a.py", "x = [][3]\n", "cannot read the config .*IndexError"),
    ("a.py", "x = undefined\n", "cannot read the config .*NameError"),
    ("a.py", "assert False\n", "cannot read the config .*AssertionError"),
    ("a.py", "\0\0\0", "cannot read the config"),
    ("a.py", "_base_ = './a.py'\n", "inherits from itself"),
    ("a.py", "_base_ = './gone.py'\n", "cannot read the config .*gone.py"),
    ("a.py", "_base_ = 5\n", "cannot read the config"),
    ("a.py", "x = " + "[" * 500 + "]" * 500 + "\n", "cannot read the config"),
    ("a.py", "custom_imports = 5\n", r"custom_imports of .* must be dict\(imports=.*got 5"),
    ("a.py", "custom_imports = dict(imports=5)\n", "custom_imports of .* must be dict"),
    ("a.py", "custom_imports = dict(imports=[5])\n", "custom_imports of .* must be dict"),
    ("a.py", "custom_imports = 'no_such_package_here'\n", "which cannot be imported"),
    ("a.py", "custom_imports = ['']\n", "which cannot be imported"),
    ("a.py", "trian_cfg = dict()\n", "sets 'trian_cfg', which nothing reads: did you mean 'train_cfg'"),
    ("a.py", "stages = 5\n", "stages must be a list of names"),
    ("a.py", "stages = 'fits'\n", "stages must be a list of names"),
    ("a.py", "stages = []\n", "stages must be a list of names"),
    ("a.py", "stages = [5]\n", "a stage needs a name that is a word"),
    ("a.py", "stages = ['a b']\na = dict()\n", "a stage needs a name that is a word"),
    ("a.py", "stages = ['../a']\n", "a stage needs a name that is a word"),
    ("a.py", "stages = ['a']\n", r"the stage 'a' needs a config a = dict\(type="),
    ("a.py", "stages = ['a']\na = 5\n", r"the stage 'a' needs a config a = dict\(type="),
    ("a.py", "stages = ['a']\na = dict(type=5)\n", "a stage is named by a string|must be"),
    ("a.py", "stages = ['a']\na = dict(type='nothing')\n", "no stage is called 'nothing'"),
    ("a.py", "stages = ['a', 'a']\na = dict(type='fits')\n", "two stages are called 'a'"),
    ("a.py", "stages = ['a']\na = dict(type='fits')\n", "does not set|needs|missing|generator"),
    ("a.py", "stages = ['a']\na = dict(type='teacher')\n", "does not set|needs|missing|path"),
    ("a.py", "stages = ['a']\na = dict(type='train')\n", "does not set model, train_cfg, train_dataloader"),
    ("a.py", "stages = ['a']\na = dict(type='teacher', path='{b}/x')\n", "needs 'b', which is no stage"),
    ("a.py", "stages = ['a']\na = dict(type='teacher', path='{a}/x')\n", "'a'.* which comes after|needs 'a'"),
    ("a.py", "stages = ['a']\na = dict(type='teacher', path='x.pt', inputs=5)\n", "inputs"),
    ("a.py", "stages = ['a']\na = dict(type='teacher', path='gone.pt')\n", "the teacher gone.pt does not exist"),
    ("a.py", "stages = ['a']\na = dict(type='teacher', path='zoo:no/x')\n", "the zoo has no entry 'no'"),
    ("a.py", "stages = ['a']\na = dict(type='teacher', path='asset:no')\n", "no asset is called 'no'"),
    ("a.py", "stages = ['a']\na = dict(type='teacher', path=1j)\n", "must be a string or a path|complex"),
    ("a.py", MODEL, "does not set train_cfg, train_dataloader, optim_wrapper"),
    ("a.py", "model = 5\ntrain_cfg = train_dataloader = optim_wrapper = 5\n", "model must be a dict, got 5"),
    ("a.json", "{", "cannot read the config|not readable JSON"),
    ("a.json", "[1, 2]", "a.json"),
    ("a.json", "5", "a.json"),
    ("a.json", "", "a.json"),
    ("a.json", '{"stages": 5}', "stages must be a list"),
    ("a.json", '{"model": {"type": "os.system"}}', "."),
    ("a.json", "[" * 100000, "a.json"),
    ("a.yaml", "a: [1", "a.yaml"),
    ("a.yaml", "- 1\n- 2\n", "a.yaml"),
    ("a.yaml", "a: b: c\n", "a.yaml"),
    ("a.yaml", "x: !!python/object/apply:os.system ['true']\n", "a.yaml"),
    ("a.yaml", "\t- x", "a.yaml"),
    ("a.txt", "x = 1\n", "cannot read the config|a.txt"),
    ("a.toml", "x = 1\n", "cannot read the config|a.toml"),
    ("a", "x = 1\n", "cannot read the config|a"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "message"), FILES)
def test_config_files(refused, tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    refused(["train", name, "--plan"] if "stages" in text else ["train", name], message)


def test_a_config_that_is_no_text(refused, tmp_path):
    (tmp_path / "a.py").write_bytes(bytes(range(128, 256)))
    refused(["train", "a.py"], "cannot read the config")
    (tmp_path / "a.json").write_bytes(bytes(range(128, 256)))
    refused(["train", "a.json"], "a.json")


# ----------------------------------------------------------------------------------------------- settings of recipes

OPTIONS = [
    ("fits", "takes key=value pairs, got 'fits'"),
    ("=5", "takes key=value pairs"),
    ("fits.=5", "takes key=value pairs"),
    ("fist.count=5", "the config has no 'fist'"),
    ("fits.count=dict(", "cannot read 'dict\\('"),
    ("fits.count=[1", "cannot read"),
    ("fits.count='5", "the quote ' is not closed"),
    ("fits.count.x=1", "fits.count is 8000, which has nothing below it"),
    ("uv.custom_hooks.7.interval=1", "'7' is no .* a list of 2"),
    ("fits.cuont=5", "'fits': the stage has no setting 'cuont'.*Did you mean 'count'"),
    ("fits.count=0", "'fits', count must be at least 1, got 0"),
    ("fits.count=-5", "count must be at least 1"),
    ("fits.count=many", "count must be a whole number, got 'many'"),
    ("fits.count=1.5", "count must be a whole number"),
    ("fits.count=True", "count must be a whole number"),
    ("fits.count=None", "count must be a whole number"),
    (f"fits.count={BIG}", "count must be within 64 bits"),
    ("fits.count=[1]", "count must be a whole number"),
    ("fits.batch=0", "batch must be at least 1"),
    (f"fits.batch={2**40}", "batch must be at most"),
    ("fits.shard=0", "shard must be at least 1"),
    ("fits.shard=x", "shard must be a whole number"),
    ("fits.seed=-1", "seed must be at least 0"),
    ("fits.seed=x", "seed must be a whole number, got 'x'"),
    (f"fits.seed={BIG}", "seed must be within 64 bits"),
    ("fits.truncation=nan", "truncation must be a finite number"),
    ("fits.truncation=inf", "truncation must be a finite number"),
    ("fits.truncation=x", "truncation must be a number"),
    ("fits.keep_images=5", "keep_images must be True or False, got 5"),
    ("fits.source=5", "source must be"),
    ("fits.source.type=truht", "no coefficient source is called 'truht'.*'truth'"),
    ("fits.source.pathh=x", "has no setting 'pathh'"),
    ("fits.generator=5", "generator must be a dict, got 5"),
    ("fits.generator.type=StyleGAN3", "no generator is called 'StyleGAN3'"),
    ("fits.generator.path=zoo:teacher_65/x", "the zoo has no entry 'teacher_65'"),
    ("fits.generator.path=5", "path must be a string, got 5"),
    ("fits.type=fitz", "no stage is called 'fitz'"),
    ("fits.type=5", "5"),
    ("fits.type=train", "'fits'"),
    ("stages=5", "stages must be a list"),
    ("stages=[fits,nothing]", "the stage 'nothing' needs a config"),
    ("stages=[mapper,fits]", "needs 'fits', which comes after it"),
    ("stages=[mapper]", "needs 'fits', which is no stage"),
    ("stages=[]", "stages must be a list"),
    ("stages=[fits,fits]", "two stages are called 'fits'"),
    ("mapper.train_cfg.max_iters=0", "max_iters must be at least 1"),
    ("mapper.train_cfg.max_iters=x", "whole number"),
    (f"mapper.train_cfg.max_iters={BIG}", "within 64 bits"),
    ("mapper.train_cfg=5", "train_cfg must be a dict, got 5"),
    ("mapper.train_cfg.max_iter=5", "no setting 'max_iter'.*'max_iters'"),
    ("mapper.train_cfg.val_interval=0", "val_interval must be at least 1"),
    ("mapper.train_cfg.type=Loop", "no loop is called 'Loop'"),
    ("mapper.train_cfg.by_epoch=True", "max_epochs"),
    ("mapper.train_dataloader.batch_size=0", "batch_size must be at least 1"),
    ("mapper.train_dataloader.batch_size=x", "batch_size must be a whole number"),
    (f"mapper.train_dataloader.batch_size={2**50}", "batch_size must be at most"),
    ("mapper.train_dataloader.num_workers=-1", "num_workers must be at least 0"),
    ("mapper.train_dataloader.bacth_size=4", "no setting 'bacth_size'.*'batch_size'"),
    ("mapper.train_dataloader=5", "train_dataloader must be a dict"),
    ("mapper.train_dataloader=None", "does not set train_d"),
    ("mapper.train_dataloader.dataset=5", r"dataset must be a dict\(type=…\)"),
    ("mapper.train_dataloader.dataset.type=CodeFit", "no dataset is called 'CodeFit'.*'CodeFits'"),
    ("mapper.train_dataloader.dataset.split=trian", "split must be 'train', 'val' or 'all', got 'trian'"),
    ("mapper.train_dataloader.dataset.folder={fist}", "needs 'fist', which is no stage"),
    ("mapper.train_dataloader.sampler.type=Sample", "no data sampler is called 'Sample'"),
    ("mapper.train_dataloader.collate_fn.type=nothing", "no function is called 'nothing'"),
    ("mapper.optim_wrapper=5", "optim_wrapper must be a dict"),
    ("mapper.optim_wrapper.maper=5", "names 'maper'"),
    ("mapper.optim_wrapper.mapper=5", r"must be dict\(optimizer=dict"),
    ("mapper.optim_wrapper.mapper=None", "must be dict"),
    ("mapper.optim_wrapper.mapper.optimizer=Adam", r"must be dict\(optimizer=dict"),
    ("mapper.optim_wrapper.mapper.optimizer.type=Adm", "no optimizer is called 'Adm'"),
    ("mapper.optim_wrapper.mapper.optimizer.lr=-1", "lr must be at least 0, got -1"),
    ("mapper.optim_wrapper.mapper.optimizer.lr=nan", "lr must be"),
    ("mapper.optim_wrapper.mapper.optimizer.lr=x", "lr must be"),
    ("mapper.optim_wrapper.mapper.optimizer.lrr=1", "AdamW has no setting 'lrr'"),
    ("mapper.optim_wrapper.mapper.precision=float16", "float16 training needs a GPU"),
    ("mapper.optim_wrapper.mapper.precision=half", "precision must be one of"),
    ("mapper.optim_wrapper.mapper.accumulative_counts=0", "accumulative_counts must be at least 1"),
    ("mapper.param_scheduler.maper=[]", "param_scheduler names 'maper'"),
    ("mapper.param_scheduler.mapper.0.type=CosineLR", "no parameter scheduler is called 'CosineLR'"),
    ("mapper.model=5", "model must be a dict"),
    ("mapper.model.type=Maping", "no model is called 'Maping'"),
    ("mapper.model.widths=5", "widths must be a list of a whole number, got 5"),
    ("mapper.model.widths=[a]", "widths must be a list of a whole number"),
    ("mapper.model.width=[8]", "'widths'"),
    ("mapper.model.jitter=much", "jitter must be a number"),
    ("mapper.model.losses.shape=5", "a loss is dict"),
    ("mapper.model.losses.shape.type=MeanDistanc", "no loss is called 'MeanDistanc'.*'MeanDistance'"),
    ("mapper.model.losses.shape.off=x", "MeanDistance has no setting 'off'"),
    ("mapper.model.dtype=5", "dtype must be"),
    ("mapper.model.face_model=Nobody", "no face model is called 'Nobody'"),
    ("mapper.model.face_model.rows=x", "rows must be"),
    ("mapper.model.face_model.rows=1", "rows must be at least 2"),
    ("mapper.val_cfg=None", "belong together"),
    ("mapper.val_evaluator=None", "belong together"),
    ("mapper.val_cfg=5", "val_cfg must be a dict"),
    ("mapper.val_evaluator.type=Errors", "no metric is called 'Errors'"),
    ("mapper.val_evaluator.size=x", "size must be"),
    ("mapper.custom_hooks=5", "custom_hooks must be a list"),
    ("mapper.custom_hooks=[dict(type=No)]", "no hook is called 'No'"),
    ("mapper.randomness=5", "randomness must be dict"),
    ("mapper.randomness.sed=5", "randomness"),
    ("mapper.optim_wraper=5", "no setting 'optim_wraper'. Did you mean 'optim_wrapper'"),
    ("direction.finder=5", "finder must be a dict"),
    ("direction.finder.type=svn", "no direction finder is called 'svn'"),
    ("direction.finder.samples=0", "samples must be at least 1"),
    ("direction.finder.ridge=x", "ridge must be a number"),
    ("direction.mapper=None", "scores codes by 'yaw': it needs a mapper"),
    ("direction.mapper=5", "mapper must be a string"),
    ("direction.finder.score=5", "score"),
    ("stepper.model.range_deg=x", "range_deg must be a number"),
    ("stepper.model.stepp=5", "has no setting 'stepp'"),
    ("stepper.train_cfg.max_iters=-3", "max_iters must be at least 1"),
    ("uv.model.mask.rule=blur", "mask.rule|rule"),
    ("uv.model.mask=5", "mask"),
    ("uv.model.views.names=5", "settings of StyleFaceUV cannot be read"),
    ("uv.model.views.names=[left]", "views.names must be"),
    ("uv.model.adversarial.every=0", "adversarial.every is a whole number"),
    ("uv.model.renderer=opengl", "no renderer is called 'opengl'"),
    ("uv.model.normals=smooth", "normals must be"),
    ("uv.model.losses.r1.gama=1", "R1Penalty has no setting 'gama'.*'gamma'"),
    ("uv.model.losses.adversarial=None", "together"),
    ("uv.model.losses.photo.norm=cubic", "norm must be"),
    ("uv.model.losses.photo.weight=nan", "weight must be a number"),
    ("uv.model.uv_generator.siez=3", "uv_generator has no setting 'siez'"),
    ("uv.model.mapper=gone.safetensors", "gone"),
    ("uv.model.teacher.path=zoo:teacher_64/no", "has no file 'no'"),
    ("uv.model.discriminator=5", "discriminator must be"),
    ("uv.custom_hooks.1.interval=0", "interval must be at least 1"),
    ("uv.custom_hooks.0.half_life=0", "half_life must be"),
    ("uv.custom_hooks.0.modules=[teacher]", "GeneratorEMA.modules names 'teacher'"),
    ("uv.default_hooks.checkpoint.interval=0", "interval must be at least 1"),
    ("uv.default_hooks.checkpoint=5", "a hook is dict"),
    ("uv.default_hooks.checkpoint.save_best=5", "save_best must be"),
    ("uv.val_evaluator.0.features=5", "features must be a dict"),
    ("uv.val_evaluator.0.features.zoo=no", "no entry 'no'"),
    ("report.protocol=5", "protocol must be a dict"),
    ("report.faces=-1", "faces"),
    ("report.facs=1", "'faces'"),
    ("report.truth=5", "truth"),
    ("report.features.type=Nothing", "no model is called 'Nothing'"),
    ("report.subjects=5", "subjects"),
    ("report.generator=5", "generator must be"),
    ("randomness.seed=x", "seed"),
    ("randomness.seed=-1", "seed"),
    (f"randomness.seed={2**32}", "seed"),
    (f"randomness.seed={BIG}", "seed"),
    ("randomness=5", "randomness"),
    ("default_hooks=5", "default_hooks"),
    ("default_hooks.logger.type=No", "no hook is called 'No'"),
    ("default_hooks.logger.interval=x", "interval must be a whole number"),
    ("work_dir=5", "work_dir"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "message"), OPTIONS)
def test_settings_of_a_recipe(refused, recipe, option, message):
    refused(["train", recipe, "--plan", "--cfg-options", option], message)


SINGLE = [
    ("train_cfg.max_iters=0", "max_iters must be at least 1"),
    ("train_cfg.max_iter=5", "no setting 'max_iter'"),
    ("train_cfg=5", "train_cfg must be a dict"),
    ("train_dataloader.batch_size=0", "batch_size must be at least 1"),
    ("train_dataloader.batch_size=x", "batch_size must be a whole number"),
    ("train_dataloader=None", "does not set train_d"),
    ("model=5", "model must be a dict"),
    ("model.type=Nothing", "no model is called 'Nothing'"),
    ("model.nothing=5", "has no setting 'nothing'"),
    ("optim_wrapper=5", "optim_wrapper must be a dict"),
    ("optim_wrapper.optimizer=5", "optim"),
    ("custom_hooks=5", "custom_hooks must be a list"),
    ("custom_hooks=[dict(type=No)]", "no hook is called 'No'"),
    ("default_hooks.checkpoint.intervall=5", "'interval'"),
    ("default_hooks.checkpoint.interval=0", "interval must be at least 1"),
    ("randomness.seed=x", "seed"),
    ("randomness.sed=5", "randomness has no setting 'sed'"),
    ("val_cfg=None", "belong together"),
    ("val_evaluator.type=No", "no metric is called 'No'"),
    ("train_dataloader.dataset.type=No", "no dataset is called 'No'"),
    ("train_dataloader.sampler.type=No", "no data sampler is called 'No'"),
    ("nothing=5", "the config has no 'nothing'"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "message"), SINGLE)
def test_settings_of_a_single_training(refused, single, option, message):
    refused(["train", single, "--work-dir", "work", "--cfg-options", option], message)


# ----------------------------------------------------------------------------------------------- places


def test_a_work_dir_that_cannot_be(refused, recipe, single, tmp_path):
    (tmp_path / "file").write_text("mine")
    for config, place in itertools.product((recipe, single), ("file", "file/below")):
        refused(["train", config, "--work-dir", place], "file")
    (tmp_path / "work" / "fits").mkdir(parents=True)
    (tmp_path / "work" / "fits" / "thesis.pdf").write_text("mine")
    refused(["train", recipe, "--work-dir", "work"], "'fits' would write to work/fits.*thesis.pdf")
    refused(["train", recipe, "--work-dir", "work", "--plan"], "'fits' would write to work/fits.*thesis.pdf")


def test_a_broken_record_is_told_and_kept(recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work" / "fits").mkdir(parents=True)
    for content in ("{", "null", json.dumps({"stage": 5})):
        (tmp_path / "work" / "fits" / "stage.json").write_text(content)
        assert main(["train", str(recipe), "--work-dir", "work", "--plan"]) == 0
        assert "fits       runs  stale (" in capsys.readouterr().out
        assert (tmp_path / "work" / "fits" / "stage.json").read_text() == content


PLACES = [
    (["fit", "gone.png"], "gone.png does not exist"), (["fit", "~nobodyatall/x.png"], "."),
    (["render", "gone.safetensors"], "gone.safetensors"), (["sample", "--generator", "gone"], "gone"),
    (["generate", "yaw", "--generator", "quickstrat"], "quickstart"), (["convert", "bfm", "--raw", "gone"], "."),
    (["sample", "--out", "x\0y"], "."), (["train", "a\0b"], "."),
    (["train", "mapper_64", "--work-dir", "x\0y"], "."),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), PLACES)
def test_places(refused, words, message):
    refused(words, message)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("Could not determine home directory."), "names no user of this machine"),
        (ValueError("embedded null byte"), "a path holds a zero byte"),
        (MemoryError(), "not enough memory for this .out of memory.: ask for a smaller size"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"), "not enough memory"),
        (OSError(28, "No space left on device"), "No space left"),
    ],
)
def test_what_bad_input_can_raise_is_said_in_one_line(error, message):
    told = in_words(error)
    assert told is not None and re.search(message, told) and "\n" not in told


def test_bugs_are_tracebacks():
    assert in_words(ValueError("shape mismatch")) is None and in_words(KeyError("image")) is None


def test_the_table_is_long():
    rows = [NUMBERS, WORDS, CONFIGS, FILES, OPTIONS, SINGLE, PLACES]
    assert sum(map(len, rows)) >= 390
