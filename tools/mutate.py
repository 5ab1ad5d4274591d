"""Mutation run: small faults are put into a copy of the tree, one at a time, and the named tests must fail.

    python tools/mutate.py --work DIR [--only WORD] [--list] [--check]

The faults are listed in ``tools/mutants/``: a file, its exact text, the text that takes its place, and the tests that
should notice. Nothing is changed in place: DIR holds a copy of the tracked files and ``results.jsonl``, in which every
mutant has a line as soon as it is done, so that a stopped run goes on where it was. A mutant whose file, tests or texts
have changed since is run again. Each set of tests is first run on the unchanged copy, where it must pass. Runs
are forks that have the heavy packages in memory already (Linux, macOS).
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import importlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 900  # seconds; tests that hang have noticed
PRELOADED = ("torch", "scipy.ndimage", "PIL.Image", "mmengine.runner", "hypothesis", "safetensors.torch", "pytest")
_ELSEWHERE = 97  # exit code: faceuv would not be imported from the copy


@dataclass(frozen=True)
class Mutant:
    """``old`` in ``file`` becomes ``new``; ``tests`` are files, or node ids, below the root."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def room(self) -> str:
        """The sub-package, ``models/stylefaceuv`` for instance."""
        parts = Path(self.file).parts[1:-1]
        return "/".join(parts[:2] if parts[:1] == ("models",) else parts[:1]) or "faceuv"

    def key(self) -> str:
        """Changes with the mutant, its file and its tests."""
        digest = hashlib.sha256(repr(self).encode())
        for name in (self.file, *self.tests):
            digest.update((ROOT / name.split("::")[0]).read_bytes())
        return digest.hexdigest()[:16]

    def __str__(self) -> str:
        before, after = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.file}: {before[:60]} → {after[:60]}"


def mutants() -> list[Mutant]:
    """Every mutant of ``tools/mutants/*.py``, StyleFaceUV's first: each file has ``MUTANTS``, a list of (file, tests,
    [(old, new), …])."""
    found = []
    for path in sorted((ROOT / "tools" / "mutants").glob("*.py"), key=lambda path: (path.stem != "method", path.stem)):
        spec = importlib.util.spec_from_file_location(f"mutants_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for file, tests, changes in module.MUTANTS:
            found += [Mutant(file, old, new, tuple(tests.split())) for old, new in changes]
    return found


def wrong(mutant: Mutant) -> str | None:
    """What is wrong with an entry of the list, or None."""
    missing = [name for name in (mutant.file, *mutant.tests) if not (ROOT / name.split("::")[0]).is_file()]
    if missing:
        return f"{mutant}: {', '.join(missing)} does not exist"
    count = (ROOT / mutant.file).read_text().count(mutant.old)
    if count != 1 or mutant.old == mutant.new:
        return f"{mutant}: its text occurs {count} times, expected once"
    return None


def copy_tree(folder: Path) -> None:
    """Bring the copy of the tracked files up to date."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file() and (not target.is_file() or target.read_bytes() != source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def preload() -> None:
    """Import once what every run of tests would import; each run is a fork of this process, without faceuv."""
    for name in PRELOADED:
        importlib.import_module(name)


def passes(folder: Path, tests: Sequence[str]) -> bool:
    """Whether ``tests`` pass on the copy."""
    child = os.fork()
    if child == 0:
        _test(folder, tests)
    end = time.monotonic() + TIMEOUT
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False
        time.sleep(0.05)
    code = os.waitstatus_to_exitcode(status)
    if code in (3, 4, 5, _ELSEWHERE):  # pytest itself failed, or found no test
        raise SystemExit(f"pytest could not run {' '.join(tests)} (exit code {code})")
    return code == 0


def _test(folder: Path, tests: Sequence[str]) -> None:
    """Run pytest in this process, on the copy, and end it."""
    try:
        os.setsid()
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        sys.dont_write_bytecode = True
        os.environ.update(PYTHONPATH=str(folder), PYTHONDONTWRITEBYTECODE="1")
        spec = importlib.util.find_spec("faceuv")
        if (folder / "faceuv").is_dir() and (spec is None or not str(spec.origin).startswith(str(folder))):
            os._exit(_ELSEWHERE)
        import pytest

        gc.freeze()  # what this process was forked with is not collected: that would copy all of its pages
        os._exit(int(pytest.main(["-q", "-x", "-n0", "-p", "no:cacheprovider", *tests])))
    except BaseException:
        os._exit(1)


def run(chosen: Sequence[Mutant], work: Path) -> list[tuple[Mutant, bool]]:
    """(mutant, whether it was killed) of all, from the results that there are and new runs."""
    tree, file = work / "tree", work / "results.jsonl"
    tree.mkdir(parents=True, exist_ok=True)
    copy_tree(tree)
    known: dict[str, bool] = {}
    if file.is_file():
        known = {line["key"]: line["killed"] for line in map(json.loads, file.read_text().splitlines())}
    sound: dict[tuple[str, ...], bool] = {}
    results = []
    preload()
    for number, mutant in enumerate(chosen, 1):
        key, start = mutant.key(), time.monotonic()
        if key not in known:
            if mutant.tests not in sound:
                sound[mutant.tests] = passes(tree, mutant.tests)
            if not sound[mutant.tests]:
                print(f"{number:4}/{len(chosen)} not run: its tests fail without any fault  {mutant}", flush=True)
                continue
            target = tree / mutant.file
            text = target.read_text()
            try:
                target.write_text(text.replace(mutant.old, mutant.new))
                known[key] = not passes(tree, mutant.tests)
            finally:
                target.write_text(text)
            with file.open("a") as lines:
                lines.write(json.dumps({"key": key, "killed": known[key], "mutant": str(mutant)}) + "\n")
        word = "killed  " if known[key] else "SURVIVED"
        print(f"{number:4}/{len(chosen)} {word} {time.monotonic() - start:5.0f} s  {mutant}", flush=True)
        results.append((mutant, known[key]))
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder of the copy and of the results")
    parser.add_argument("--only", default="", help="run the mutants whose line holds this word")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    parser.add_argument("--check", action="store_true", help="check that every text is there once, and stop")
    options = parser.parse_args()
    chosen = [mutant for mutant in mutants() if options.only in str(mutant)]
    faults = [fault for mutant in chosen if (fault := wrong(mutant))]
    if faults:
        print("\n".join(faults))
        return 1
    if options.list:
        print("\n".join(map(str, chosen)))
    if options.list or options.check:
        print(f"{len(chosen)} mutants")
        return 0
    if options.work is None or options.work.resolve().is_relative_to(ROOT):
        parser.error("--work DIR is needed, a folder outside of the repository")
    results = run(chosen, options.work.resolve())
    for room in sorted({mutant.room for mutant, _ in results}):
        of_room = [killed for mutant, killed in results if mutant.room == room]
        print(f"{room:24} {sum(of_room):4} of {len(of_room)}")
    killed = sum(killed for _, killed in results)
    print(f"killed {killed} of {len(results)}: {100 * killed / max(len(results), 1):.1f} %")
    if len(results) < len(chosen):
        print(f"{len(chosen) - len(results)} were not run: their tests fail without any fault; repair those first")
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    raise SystemExit(main())
