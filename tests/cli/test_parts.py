"""``faceuv list`` reads the source; what it reads is what the registries say."""

from __future__ import annotations

import subprocess
import sys

from faceuv import registry
from faceuv.cli import parts


def test_the_source_says_what_the_registries_say():
    kinds = parts.kinds()
    assert list(kinds) == list(registry.all_registries())
    for word, found in registry.all_registries().items():
        assert getattr(registry, kinds[word]) is found
        ours = {
            name: summary
            for name, summary in found.summaries().items()
            if found.module_dict[name].__module__.startswith("faceuv.")
        }
        assert parts.summaries(kinds[word]) == ours, word
    assert parts.summaries("RENDERERS")["torch"].startswith("Built in")


def test_listing_imports_no_torch():
    code = "import sys; from faceuv.cli.main import main; main(['list']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "StyleGAN2Generator" in done.stdout
