"""Every stage of StyleFaceUV's recipe, killed in the middle: what comes out in the end is the same to the byte."""

from __future__ import annotations

import json
import os
import random
import signal
import threading

from faceuv.engine.stages import run_stages
from faceuv.engine.stages.record import Record

PAGES = ("metrics.json", "report.md", "report.html")


def outputs(work):
    """Stage/file → bytes, of all that the records list; of the report, which says how long it took, the numbers."""
    found = {}
    for folder in sorted(path.parent for path in work.glob("*/stage.json")):
        record = Record.read(folder)
        assert record.complete, folder.name
        names = [name for name in record.outputs if name not in PAGES]
        found |= {f"{folder.name}/{name}": (folder / name).read_bytes() for name in names}
    found["numbers"] = json.loads((work / "report" / "metrics.json").read_text())["subjects"]
    return found


def test_a_recipe_killed_in_every_stage_ends_with_the_same_bytes(tiny, recipe, forked, tmp_path, monkeypatch):
    stages = tiny.tiny_recipe(tiny.write_teacher(tmp_path))
    renames, now = dict.fromkeys(stages, 0), [None]
    replace = os.replace

    def counted(*paths):
        if now[0] is not None:
            renames[now[0]] += 1
        return replace(*paths)

    def follow(line):
        if line.startswith("stage "):
            now[0] = line.split()[1].rstrip(":")

    # in this process, so that those that are killed are forked with everything imported
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", counted)
        run_stages(recipe("whole", **stages), log=follow)
    seconds = {name: Record.read(tmp_path / "whole" / name).seconds for name in stages}
    assert all(renames.values()), renames
    chance = random.Random(5)

    def killed(stage, rename=None, moment=None):
        """Kill −9 in ``stage``: as it puts its n-th file in place (before or after), or at a moment."""

        def body():
            def die():
                os.kill(os.getpid(), signal.SIGKILL)

            def log(line):
                if not line.startswith(f"stage {stage}: "):
                    return
                if ": done" in line:
                    os._exit(0)  # it was faster than the kill
                if moment is not None:
                    threading.Timer(moment, die).start()
                    return
                left = [rename[0]]

                def deadly(*paths):
                    left[0] -= 1
                    if left[0] == 0 and not rename[1]:
                        die()
                    replace(*paths)
                    if left[0] == 0:
                        die()

                os.replace = deadly

            run_stages(recipe("killed", **stages), log=log)

        return body

    died = 0
    for name in stages:
        # the record of the beginning is one of the files; what is left after a first kill is less than the whole
        rename = (chance.randint(1, max(1, renames[name] - 1)), chance.random() < 0.5)
        assert forked(killed(name, rename=rename), processes=1) == [-signal.SIGKILL], (name, rename)
        died += forked(killed(name, moment=chance.random() * seconds[name]), processes=1) == [-signal.SIGKILL]
    assert died > 0

    lines = []
    rows = run_stages(recipe("killed", **stages), log=lines.append)
    assert [row.finding.state for row in rows] == ["fresh"] * len(stages), lines
    assert outputs(tmp_path / "killed") == outputs(tmp_path / "whole")
    assert set(outputs(tmp_path / "whole")) >= {"uv/uv_generator.safetensors", "direction/directions.safetensors"}
    for folder in (tmp_path / "killed").iterdir():
        assert not [path.name for path in folder.glob(".*")], "temporary files of killed runs are left"
