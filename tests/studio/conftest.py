import threading

import pytest
from browser import browser  # noqa: F401  a fixture

from faceuv import Face
from faceuv.face import build_face_model
from faceuv.studio import HeadSource, Studio, StudioServer

SMALL = {"type": "ProceduralFace", "rows": 70, "columns": 71}


@pytest.fixture(scope="package")
def model():
    return build_face_model(SMALL)


class Served:
    """A studio in a thread; :meth:`stop` ends it, :meth:`start` begins it again at the same port."""

    def __init__(self, studio):
        self.studio, self.port = studio, 0
        self.start()

    def start(self):
        self.server = StudioServer(self.studio, port=self.port)
        self.port = self.server.port
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def address(self):
        return self.server.address


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
