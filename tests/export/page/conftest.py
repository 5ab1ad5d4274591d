import pytest
from browser import browser  # noqa: F401  a fixture

from faceuv import Face
from faceuv.export.page import save_page
from faceuv.face import build_face_model


@pytest.fixture(scope="package")
def people():
    """A face at rest, one turned and smiling, and one under another light."""
    model = build_face_model({"type": "ProceduralFace", "rows": 70, "columns": 71})
    first = Face.random(3, face_model=model)
    return [
        first,
        first.with_arkit(mouthSmileLeft=0.7, jawOpen=0.4, eyeBlinkRight=0.8).with_pose(25, -8, 5),
        Face.random(4, face_model=model).with_lighting("left").with_pose(-30),
    ]


@pytest.fixture(scope="package")
def page_file(people, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "people.html"
    faces = [face.on_page(f"person {k}", texture_size=256) for k, face in enumerate(people)]
    return save_page(path, faces, title="people")


@pytest.fixture
def page(browser, page_file):  # noqa: F811
    with browser.page(page_file) as found:
        found.wait("window.faceuv && faceuv.ready")
        yield found
        assert found.errors() == []
