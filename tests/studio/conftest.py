import pytest
from browser import browser  # noqa: F401  a fixture
from studio_server import Served

from faceuv import Face
from faceuv.face import build_face_model
from faceuv.studio import HeadSource, Studio

SMALL = {"type": "ProceduralFace", "rows": 70, "columns": 71}


@pytest.fixture(scope="package")
def model():
    return build_face_model(SMALL)


@pytest.fixture(scope="package")
def served(model):
    """People of a small head; a photograph becomes the person whose seed its width is."""

    def face_of(path):
        from PIL import Image

        with Image.open(path) as picture:
            return Face.random(picture.width, face_model=model)

    found = Served(Studio(HeadSource(model, texture_size=64), face_of=face_of))
    yield found
    found.stop()
