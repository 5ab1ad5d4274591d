from __future__ import annotations

import os
import struct
import sys
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from faceuv.data import images
from faceuv.data.images import PictureFile, PictureReader, find_pictures, read_picture
from faceuv.errors import AssetError, InputError
from faceuv.export import save_video

SIDE = 40


@pytest.fixture
def levels():
    """``(H, W, 3)`` uint8, not square, no symmetry."""
    return np.random.default_rng(0).integers(0, 256, (SIDE, SIDE + 8, 3), dtype=np.uint8)


def expected(levels):
    return torch.from_numpy(levels.copy()).permute(2, 0, 1).float() / 255


def test_rgb(tmp_path, levels):
    Image.fromarray(levels).save(tmp_path / "a.png")
    torch.testing.assert_close(read_picture(tmp_path / "a.png"), expected(levels))


def test_grey_and_palette_become_rgb(tmp_path, levels):
    Image.fromarray(levels[..., 0]).save(tmp_path / "grey.png")
    grey = read_picture(tmp_path / "grey.png")
    torch.testing.assert_close(grey, expected(levels)[:1].expand(3, -1, -1))
    Image.fromarray(levels).convert("P").save(tmp_path / "palette.gif")
    assert read_picture(tmp_path / "palette.gif").shape == (3, SIDE, SIDE + 8)


def test_sixteen_bits_keep_their_precision(tmp_path, levels):
    fine = levels[..., 0].astype(np.uint16) * 256 + levels[..., 1]
    Image.fromarray(fine).save(tmp_path / "fine.png")
    found = read_picture(tmp_path / "fine.png")
    np.testing.assert_allclose(found[0], fine / 65535.0, atol=1e-6)
    assert len(found.unique()) > 300


def test_floats_in_range_are_read_and_others_refused(tmp_path, levels):
    Image.fromarray((levels[..., 0] / 255).astype(np.float32)).save(tmp_path / "float.tif")
    torch.testing.assert_close(read_picture(tmp_path / "float.tif")[0], expected(levels)[0])
    Image.fromarray(levels[..., 0].astype(np.float32)).save(tmp_path / "wide.tif")
    with pytest.raises(InputError, match=r"a picture of floats must hold values in \[0, 1\]"):
        read_picture(tmp_path / "wide.tif")


def test_transparency_is_laid_over_white(tmp_path, levels):
    alpha = np.zeros((SIDE, SIDE + 8), np.uint8)
    alpha[:, :10], alpha[:, 10:20] = 255, 128
    Image.fromarray(np.dstack([levels, alpha])).save(tmp_path / "cut.png")
    found, full = read_picture(tmp_path / "cut.png"), expected(levels)
    torch.testing.assert_close(found[..., :10], full[..., :10])
    torch.testing.assert_close(found[..., 10:20], (full[..., 10:20] + 1) / 2, atol=0.01, rtol=0)
    assert bool((found[..., 20:] == 1).all())


@pytest.mark.parametrize(("tag", "turns"), [(3, 2), (6, 3), (8, 1)])
def test_exif_turns_the_picture_upright(tmp_path, levels, tag, turns):
    exif = Image.Exif()
    exif[0x0112] = tag
    Image.fromarray(np.ascontiguousarray(np.rot90(levels, -turns))).save(tmp_path / "turned.png", exif=exif)
    torch.testing.assert_close(read_picture(tmp_path / "turned.png"), expected(levels))


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.jpg", "RGB"), ("a.jpg", "CMYK"), ("a.webp", "RGB"), ("a.tif", "F"), ("a.tif", "RGB")]
    + [("a.png", mode) for mode in ("RGB", "RGBA", "P", "L", "I;16")],
)
def test_large_pictures_are_read_smaller(tmp_path, monkeypatch, name, mode):
    """Nine times the wanted pixels, turned by EXIF: a third of each side, before anything becomes numbers."""
    down, right = np.mgrid[0:150, 0:210] / 210
    grey = Image.fromarray((255 * down).astype(np.uint8))
    picture = Image.merge("RGB", [grey, Image.fromarray((255 * right).astype(np.uint8)), grey])
    if mode == "I;16":
        picture = Image.fromarray((65535 * down).astype(np.uint16))
    elif mode == "F":
        picture = Image.fromarray(down.astype(np.float32))
    else:
        picture = picture.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / name, exif=exif)
    sides = []
    inside = images._reduced
    monkeypatch.setattr(images, "_reduced", lambda p, enough: sides.append(p.size) or inside(p, enough))
    enough = 150 * 210 // 9
    found, whole = read_picture(tmp_path / name, enough=enough), read_picture(tmp_path / name)
    assert found.shape == (3, 70, 50) and whole.shape == (3, 210, 150)
    assert sides[0] == ((75, 105) if name == "a.jpg" else (150, 210))  # JPEG is decoded smaller already
    there = torch.nn.functional.avg_pool2d(whole, 3)
    assert (found - there).abs().mean() < (0.03 if mode == "P" or name != "a.png" else 0.004)


def test_a_picture_of_enough_pixels_keeps_its_size(tmp_path, levels):
    Image.fromarray(levels).save(tmp_path / "a.png")
    torch.testing.assert_close(read_picture(tmp_path / "a.png", enough=SIDE * (SIDE + 8)), expected(levels))


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_what_is_no_picture_is_said_to_be_none(tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(AssetError, match=r"bad\.png cannot be read as a picture"):
        read_picture(tmp_path / "bad.png")


def test_truncated_picture(tmp_path, levels):
    Image.fromarray(levels).save(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "half.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(AssetError, match="cannot be read as a picture"):
        read_picture(tmp_path / "half.png")


def test_tiny_picture_is_refused(tmp_path):
    Image.new("RGB", (200, 31)).save(tmp_path / "tiny.png")
    with pytest.raises(InputError, match=r"is 200 × 31 pixels; a face needs at least 32 on each side"):
        read_picture(tmp_path / "tiny.png")


def test_folder_file_and_glob_in_natural_order(tmp_path):
    for name in ("f10.png", "f9.png", "f1.JPG", ".hidden.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "sub").mkdir()
    assert [file.name for file in find_pictures([tmp_path])] == ["f1", "f9", "f10"]
    assert [file.name for file in find_pictures([f"{tmp_path}/f*.png"])] == ["f9", "f10"]
    twice = find_pictures([tmp_path / "f9.png", tmp_path])
    assert [file.name for file in twice] == ["f9", "f1", "f10"]


def test_names_are_unique(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "me.png").write_bytes(b"x")
    (tmp_path / "a" / "ME.jpg").write_bytes(b"x")
    names = [file.name for file in find_pictures([tmp_path / "a", tmp_path / "b"])]
    assert sorted(names) == ["a_ME_jpg", "a_me_png", "b_me_png"]


def test_nothing_to_fit_is_an_error(tmp_path):
    with pytest.raises(InputError, match="holds no pictures or videos"):
        find_pictures([tmp_path])
    with pytest.raises(InputError, match="nothing matches"):
        find_pictures([f"{tmp_path}/*.png"])
    with pytest.raises(AssetError, match=r"nobody\.png does not exist; expected a picture, a folder"):
        find_pictures([tmp_path / "nobody.png"])
    with pytest.raises(InputError, match="every must be at least 1, got 0"):
        find_pictures([tmp_path], every=0)


def test_video_frames(tmp_path):
    pytest.importorskip("av")
    frames = [torch.full((3, 48, 64), level) for level in (0.1, 0.4, 0.7, 0.9, 0.2)]
    film = save_video(tmp_path / "film.mp4", frames, fps=5)
    assert len(find_pictures([film])) == 5
    files = find_pictures([film], every=2)
    assert [(file.name, file.frame) for file in files] == [
        ("film_f000000", 0),
        ("film_f000002", 2),
        ("film_f000004", 4),
    ]
    reader = PictureReader()
    for file in [*files, files[0]]:  # and back again
        assert float(reader.read(file).mean()) == pytest.approx(float(frames[file.frame].mean()), abs=0.03)
    with pytest.raises(AssetError, match="ends before frame 99"):
        reader.read(PictureFile("film", film, 99))


def test_a_damaged_video_is_found_and_fails_when_it_is_read(tmp_path):
    """So that in the middle of a folder it is a row of the report."""
    pytest.importorskip("av")
    noise = torch.Generator().manual_seed(0)
    film = save_video(tmp_path / "film.mp4", [torch.rand(3, 64, 64, generator=noise) for _ in range(12)], fps=5)
    whole = film.read_bytes()
    for name, content in (("bad.mp4", b"no film"), ("headless.mp4", whole[: len(whole) // 2])):
        (tmp_path / name).write_bytes(content)
        (file,) = find_pictures([tmp_path / name], every=3)
        with pytest.raises(AssetError, match=r"cannot be read as a video|ends before frame"):
            PictureReader().read(file)


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(13_000, 13_000), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1)])
def test_a_huge_picture_is_refused_by_its_header(tmp_path, size, recwarn):
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(*size))
    with pytest.raises(AssetError, match=r"at most 150 megapixels are read|cannot be read as a picture"):
        read_picture(path)
    assert not recwarn.list


def test_a_picture_beyond_the_memory_is_an_error_of_its_own(tmp_path, levels, monkeypatch):
    """And so the others of its batch are read."""
    Image.fromarray(levels).save(tmp_path / "a.png")

    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", full)
    monkeypatch.setattr("faceuv.data.images.np.array", full)
    with pytest.raises(AssetError, match="too large a picture for the memory"):
        read_picture(tmp_path / "a.png")


def test_whole_numbers_of_32_bits_are_refused(tmp_path):
    """Read as 16 bits, white would be black or grey."""
    for name, value in (("deep.tif", 3_000_000), ("dark.tif", 300)):
        Image.fromarray(np.full((40, 40), value, np.int32)).save(tmp_path / name)
        with pytest.raises(InputError, match=r"whole numbers of 32 bits, whose white is unknown; save it with 16 bits"):
            read_picture(tmp_path / name)
    fine = np.full((40, 40), 300, np.uint16)
    Image.fromarray(fine).save(tmp_path / "fine.tif")
    torch.testing.assert_close(read_picture(tmp_path / "fine.tif"), torch.full((3, 40, 40), 300 / 65535))


def test_a_film_whose_tag_is_no_text(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as film:
        film.metadata["title"] = "Titel ABCD"
        stream = film.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), 128, np.uint8))))
        film.mux(stream.encode())
    content = path.read_bytes()
    assert b"Titel ABCD" in content
    path.write_bytes(content.replace(b"Titel ABCD", b"Titel A\xffCD"))
    assert len(find_pictures([path])) == 3
    assert PictureReader().read(find_pictures([path])[1]).shape == (3, 64, 64)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep names as text")
def test_a_file_name_that_is_no_text(tmp_path, levels):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    Image.fromarray(levels).save(path)
    (file,) = find_pictures([tmp_path])
    assert file.name == "caf_" and str(file) == f"{tmp_path}/caf\ufffd.png"
    str(file).encode()
    assert PictureReader().read(file).shape == (3, SIDE, SIDE + 8)
