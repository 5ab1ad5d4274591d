"""tools/gpu: every part at toy size on the CPU, cut runs, and what a short visit to a GPU may meet."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import torch

from faceuv.files.networks import save_network
from faceuv.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator, load_discriminator, load_generator
from tools.gpu import bench, smoke
from tools.gpu.__main__ import main, parse
from tools.gpu.folder import FILES, MOST_BYTES, MOST_FILES, Folder
from tools.gpu.machine import Machine
from tools.gpu.pictures import draw, pictures, studio
from tools.gpu.reference import ReferenceDiscriminator, ReferenceSynthesis
from tools.gpu.wheels import KitError, check, unpack

ROOT = Path(__file__).parents[2]
TOY = ["--device", "cpu", "--toy"]


def finished(*arguments: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    command = [str(ROOT / "tools" / "gpu" / "run.sh"), *arguments]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600
    )
    return done.returncode, done.stdout


@pytest.fixture
def machine():
    return Machine.choose("cpu", toy=True)


class TestParts:
    def test_smoke_passes_on_the_cpu(self, tmp_path, capsys):
        assert main(["smoke", "--out", str(tmp_path), *TOY, "--seconds", "1000"]) == 0
        told = json.loads((tmp_path / "smoke.json").read_text())
        assert set(told["checks"]) == set(smoke.CHECKS)
        assert all(check["ok"] for check in told["checks"].values())
        assert told["checks"]["fitter"]["fits_per_second"] > 0
        assert told["machine"]["torch"] == torch.__version__
        assert f"{len(smoke.CHECKS)} of {len(smoke.CHECKS)} checks passed" in capsys.readouterr().out

    def test_smoke_goes_on_after_a_failure_and_tells_it(self, tmp_path, capsys, monkeypatch):
        def breaks(machine):
            raise RuntimeError("expected all tensors on one device")

        monkeypatch.setattr(smoke, "CHECKS", {"breaks": breaks, "renders": smoke.renders})
        assert main(["smoke", "--out", str(tmp_path), *TOY]) == 1
        told = json.loads((tmp_path / "smoke.json").read_text())["checks"]
        assert not told["breaks"]["ok"]
        assert told["breaks"]["error"] == "RuntimeError: expected all tensors on one device"
        assert any("raise RuntimeError" in line for line in told["breaks"]["traceback"])
        assert told["renders"]["ok"]
        said = capsys.readouterr().out
        assert "breaks: FAILED" in said
        assert "1 of 2 checks passed; failed: breaks" in said

    def test_smoke_keeps_to_its_time(self, tmp_path):
        assert main(["smoke", "--out", str(tmp_path), *TOY, "--seconds", "1e-9"]) == 1
        told = json.loads((tmp_path / "smoke.json").read_text())["checks"]
        assert {check["error"] for check in told.values()} == {"not run: 0 s were over"}

    def test_smoke_would_see_a_wrong_result(self, machine, monkeypatch):
        real = smoke.near
        monkeypatch.setattr(smoke, "near", lambda what, found, *rest: real(what, found * 1.05, *rest))
        with pytest.raises(AssertionError, match=r"a render: differs from the CPU's by 0\.05"):
            smoke.renders(machine)

    def test_bench_writes_its_tables(self, tmp_path):
        assert main(["bench", "--out", str(tmp_path), *TOY, "--seconds", "1000"]) == 0
        told = json.loads((tmp_path / "bench.json").read_text())
        assert not told["errors"]
        assert set(told["tables"]) == set(bench.SECTIONS)
        assert told["tables"]["stylegan2"][1]["what"] == "step"
        assert told["tables"]["fits"][0]["fits per second"] > 0
        page = (tmp_path / "bench.md").read_text()
        assert "## uv step" in page
        assert "| batch | size | what | torch ms |" in page

    def test_bench_tells_a_section_that_failed(self, tmp_path, monkeypatch):
        def fails(machine):
            raise ValueError("no such kernel")

        monkeypatch.setattr(bench, "SECTIONS", {"fails": fails, "filters": bench.filters})
        assert main(["bench", "--out", str(tmp_path), *TOY]) == 1
        told = json.loads((tmp_path / "bench.json").read_text())
        assert told["errors"] == {"fails": "ValueError: no such kernel"}
        assert len(told["tables"]["filters"]) == 2

    def test_the_reference_is_the_same_network(self):
        torch.manual_seed(0)
        generator = StyleGAN2Generator(32, 16, mapping_depth=2, channel_base=128, channel_max=8)
        judge = StyleGAN2Discriminator(32, channel_base=128, channel_max=8)
        for parameter in (*generator.parameters(), *judge.parameters()):
            if parameter.ndim == 1:  # biases, which begin as 0
                torch.nn.init.normal_(parameter)
        code = generator.sample_codes(4)
        code = code + 0.1 * torch.randn_like(code)  # another row for every layer
        image = generator.synthesis(code, noise="none")
        torch.testing.assert_close(ReferenceSynthesis(generator)(code), image, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(ReferenceDiscriminator(judge)(image), judge(image), rtol=1e-4, atol=1e-4)


class TestTeacher:
    def test_a_killed_run_leaves_weights_that_load_and_goes_on(self, tmp_path):
        words = ["teacher", "--out", str(tmp_path), *TOY, "--seconds", "600", "--pairs", "0.001"]
        process = multiprocessing.get_context("fork").Process(target=main, args=(words,))
        process.start()
        state = tmp_path / "teacher.json"
        try:
            deadline = time.monotonic() + 300
            while time.monotonic() < deadline and process.is_alive():
                time.sleep(0.05)
                if state.is_file() and json.loads(state.read_text())["phase"] == "game":
                    break
        finally:
            process.kill()
            process.join()
        assert process.exitcode == -signal.SIGKILL
        kept = json.loads(state.read_text())
        assert kept["phase"] == "game"
        image = load_generator(tmp_path / "teacher_generator.safetensors")(torch.randn(2, 383))
        scores = load_discriminator(tmp_path / "teacher_discriminator.safetensors")(image)
        assert bool(torch.isfinite(scores).all())
        assert len(list(tmp_path.iterdir())) <= MOST_FILES
        moved = load_generator(tmp_path / "teacher_generator.safetensors")
        moved.synthesis.constant.add_(1.0)  # so that it differs from a new generator
        save_network(tmp_path / "teacher_generator.safetensors", moved, dtype=torch.float16)

        status, said = finished("teacher", "--out", str(tmp_path), *TOY, "--seconds", "1")
        assert status == 0, said
        assert f"going on after {kept['images']}" in said
        assert "the game goes on" in said
        after = json.loads(state.read_text())
        assert after["images"]["game"] > kept["images"]["game"]
        assert after["images"]["pairs"] == kept["images"]["pairs"]
        assert after["seconds"] > kept["seconds"]
        again = load_generator(tmp_path / "teacher_generator.safetensors")
        assert float((again.synthesis.constant - moved.synthesis.constant).abs().max()) < 0.1  # from there on
        spaces = set(after["frechet"]) - {"samples"}
        assert len(spaces) == 2
        assert all(after["frechet"][space]["real"] < after["frechet"][space]["generated"] for space in spaces)
        assert {path.name for path in tmp_path.iterdir()} <= set(FILES)

    def test_another_teachers_folder_is_left_alone(self, tmp_path, capsys):
        assert main(["teacher", "--out", str(tmp_path), *TOY, "--seconds", "1"]) == 0
        before = (tmp_path / "teacher.json").read_text()
        assert main(["teacher", "--out", str(tmp_path), *TOY, "--world", "full", "--seconds", "1"]) == 2
        said = capsys.readouterr().err
        assert "is of another teacher" in said
        assert said.count("\n") == 1
        assert (tmp_path / "teacher.json").read_text() == before

    def test_networks_too_large_for_the_folder_are_refused(self, tmp_path, machine):
        from tools.gpu.teacher import Recipe, Training

        recipe = Recipe(64, "calm", channel_base=32768, channel_max=512)
        with pytest.raises(KitError, match="the generator of 64² would take .* MiB, at most 16"):
            Training(machine, Folder(tmp_path), recipe, batch=2, pairs=0.5, end=0.0)

    def test_what_diverges_stops_and_is_not_kept(self, tmp_path, machine, monkeypatch, capsys):
        from tools.gpu import teacher

        def diverges(method, *_):
            torch.nn.init.constant_(method.generator.synthesis.constant, torch.nan)
            return {"image": torch.tensor(torch.nan)}

        monkeypatch.setattr(teacher.PairedGenerator, "train_step", diverges)
        recipe = teacher.Recipe(16, "calm", code_dim=32, mapping_depth=2, channel_base=256, channel_max=16)
        training = teacher.Training(machine, Folder(tmp_path), recipe, batch=4, pairs=1.0, end=time.monotonic() + 60)
        training.learn_from(pictures(machine, 4, size=16, world="calm", seconds=10))
        with pytest.raises(KitError, match="training has diverged"):
            training.train()
        assert not list(tmp_path.iterdir())


class TestPictures:
    def test_are_those_of_the_dataset(self, machine):
        found = pictures(machine, 6, size=16, world="calm", seconds=100)
        faces, together = studio(machine, "calm", 16, 0)
        assert found.images.shape == (6, 3, 16, 16)
        assert found.images.dtype == torch.uint8
        assert torch.equal(found.latents, faces.facts(range(6))["latent"])
        expected = torch.cat([draw(faces, 0, together)[0], draw(faces, together, 2)[0]])
        assert torch.equal(found.images, expected)

    def test_kept_ones_are_read_again(self, machine, tmp_path, capsys):
        keep = tmp_path / "faces.npy"
        first = pictures(machine, 6, size=16, world="calm", seconds=100, keep=keep)
        again = pictures(machine, 6, size=16, world="calm", seconds=100, keep=keep)
        assert "read 6 pictures" in capsys.readouterr().out
        assert torch.equal(first.images, again.images)
        assert torch.equal(first.latents, again.latents)

    def test_those_of_another_world_are_refused(self, machine, tmp_path):
        keep = tmp_path / "faces.npy"
        pictures(machine, 4, size=16, world="calm", seconds=100, keep=keep)
        with pytest.raises(
            KitError, match=r"holds pictures of \{'world': 'calm'\}, not of \{'world': 'full'\}; delete it"
        ):
            pictures(machine, 4, size=16, world="full", seconds=100, keep=keep)

    def test_those_of_another_version_are_refused(self, machine, tmp_path, monkeypatch):
        keep = tmp_path / "faces.npy"
        pictures(machine, 4, size=16, world="calm", seconds=100, keep=keep)
        monkeypatch.setattr("tools.gpu.pictures.draw", lambda *_: (torch.zeros(1, 3, 16, 16), torch.zeros(1, 383)))
        with pytest.raises(KitError, match="holds other pictures than are drawn now"):
            pictures(machine, 4, size=16, world="calm", seconds=100, keep=keep)

    def test_fewer_where_memory_is_short(self, machine, monkeypatch, capsys):
        monkeypatch.setattr(machine, "free_gib", lambda: 3 * 16 * 16 * 5 / 0.4 / 2**30 + 1e-9)
        assert len(pictures(machine, 100, size=16, world="calm", seconds=100).images) == 5
        assert "drawing 5" in capsys.readouterr().out

    def test_fewer_where_time_is_short(self, machine):
        assert 0 < len(pictures(machine, 1000, size=16, world="calm", seconds=0.0).images) <= 4


class TestMachine:
    def test_no_gpu_is_one_line(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert main(["smoke", "--out", str(tmp_path)]) == 2
        said = capsys.readouterr().err
        assert "finds no CUDA device; --device cpu --toy" in said
        assert said.count("\n") == 1

    @pytest.mark.parametrize(("there", "precision"), [(True, "bfloat16"), (False, "float32")])
    def test_without_bfloat16_it_computes_in_float32(self, monkeypatch, there, precision):
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: there or including_emulation
        )
        assert Machine(torch.device("cuda")).precision == precision

    def test_a_batch_shrinks_until_it_fits(self, machine, capsys):
        def call(size: int) -> int:
            if size > 10:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return size

        assert machine.shrinking("pictures a step", 64, 4, call) == (8, 8)
        assert "pictures a step: 16 do not fit the GPU's memory, trying 8" in capsys.readouterr().out
        with pytest.raises(KitError, match="pictures a step: even 16 do not fit") as told:
            machine.shrinking("pictures a step", 64, 16, call)
        assert "\n" not in str(told.value)

    @pytest.mark.parametrize(("seconds", "chosen"), [((1, 1.1, 1.2), 256), ((1, 2, 2.1), 64), ((1, 1.2, 2.3), 128)])
    def test_the_fastest_batch(self, machine, capsys, seconds, chosen):
        taken = dict(zip((64, 128, 256), seconds))
        assert machine.fastest("pictures a step", (64, 128, 256), taken.__getitem__) == chosen
        assert f"pictures a step: {chosen}, {chosen / taken[chosen]:.0f} a second" in capsys.readouterr().out

    def test_a_batch_that_does_not_fit_ends_the_search(self, machine):
        def seconds(size: int) -> float:
            if size > 100:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return 1.0

        assert machine.fastest("pictures a step", (64, 128, 256), seconds) == 64


class TestFolder:
    def test_a_full_one_costs_a_line_and_keeps_what_was_there(self, tmp_path, monkeypatch, capsys):
        folder = Folder(tmp_path)
        assert folder.write_json("smoke.json", {"run": 1})

        def full(path, content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", full)
            assert not folder.write_json("smoke.json", {"run": 2})
            assert main(["bench", "--out", str(tmp_path), *TOY, "--seconds", "1e-9"]) == 1
        assert folder.read_json("smoke.json") == {"run": 1}
        said = capsys.readouterr().out
        assert "not written" in said
        assert "No space left" in said
        assert [path.name for path in tmp_path.iterdir()] == ["smoke.json"]

    def test_files_are_few_and_small(self, tmp_path, capsys):
        folder = Folder(tmp_path)
        assert len(FILES) + 1 <= MOST_FILES
        assert not folder.write("bench.md", lambda path: path.write_bytes(b"x" * (MOST_BYTES + 1)))
        assert "would have 16.0 MiB, at most 16" in capsys.readouterr().out
        with pytest.raises(ValueError, match="none of the files"):
            folder.write("weights.bin", Path.touch)
        (tmp_path / "mine.txt").touch()
        with pytest.raises(KitError, match=r"holds mine.txt: .*; choose an empty folder"):
            Folder(tmp_path)

    def test_unfinished_files_of_a_cut_run_go(self, tmp_path):
        (tmp_path / ".teacher_generator.abc123.safetensors").write_bytes(b"half")
        Folder(tmp_path)
        assert not list(tmp_path.iterdir())

    def test_a_file_is_no_folder(self, tmp_path):
        (tmp_path / "out").touch()
        with pytest.raises(KitError, match="is a file; expected a folder"):
            Folder(tmp_path / "out")


class TestWheels:
    @pytest.fixture
    def wheel(self, tmp_path):
        path = tmp_path / "carried_package-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("carried_package/__init__.py", "ANSWER = 42\n")
        return path

    def test_a_package_is_imported_from_its_wheel(self, wheel, monkeypatch):
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setenv("PYTHONPATH", "/before")
        with pytest.raises(KitError, match="missing imports: carried_package, not_there .*--wheels DIR"):
            check(("torch", "carried_package", "not_there"))
        (place,) = unpack(wheel.parent)
        import carried_package

        assert carried_package.ANSWER == 42
        assert os.environ["PYTHONPATH"] == f"/before{os.pathsep}{place}"
        assert unpack(wheel.parent) == [place]  # once is enough
        with pytest.raises(KitError, match=r"missing imports: not_there \("):
            check(("torch", "carried_package", "not_there"))

    def test_bad_folders(self, tmp_path):
        with pytest.raises(KitError, match="is no folder"):
            unpack(tmp_path / "nowhere")
        with pytest.raises(KitError, match=r"holds no \.whl file"):
            unpack(tmp_path)
        (tmp_path / "broken-1.0-py3-none-any.whl").write_bytes(b"PK, or so")
        with pytest.raises(KitError, match=r"broken-1\.0-py3-none-any\.whl cannot be unpacked"):
            unpack(tmp_path)

    def test_an_interpreter_without_torch_says_what_is_missing(self, tmp_path):
        script = tmp_path / "python"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
        script.chmod(0o755)
        environment = {**os.environ, "PYTHON": str(script)}
        done = subprocess.run(
            [str(ROOT / "tools" / "gpu" / "run.sh"), "smoke", "--out", str(tmp_path / "out")], env=environment,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr.startswith("error: missing imports: torch, numpy")
        assert done.stderr.count("\n") == 1


def test_an_unknown_part_is_named(capsys):
    with pytest.raises(SystemExit):
        parse(["everything", "--out", "x"])
    assert "invalid choice: 'everything'" in capsys.readouterr().err
