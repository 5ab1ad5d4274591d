"""Everyday words move any head: the procedural face by its own movements, others by ARKit's."""

from __future__ import annotations

import pytest
import torch
from installed import needs_heads

from faceuv.errors import InputError
from faceuv.models.faces import ProceduralFace
from faceuv.models.faces.arkit import NAMES
from faceuv.models.faces.building import build_face_model
from faceuv.models.faces.everyday import EVERYDAY, everyday_modes


@pytest.fixture(scope="module")
def procedural():
    return ProceduralFace(rows=49, columns=41, verbose=False)


@pytest.mark.parametrize("word", EVERYDAY)
def test_a_word_is_the_same_movement_in_both_vocabularies(procedural, word):
    """Sides and signs: the procedural face's own movement goes where its ARKit movements go."""
    assert set(EVERYDAY[word]) <= set(NAMES)
    own = (procedural.expression_basis @ procedural.expression_coefficients(**{word: 1.0})[0]).flatten()
    arkit = procedural.arkit_coefficients(dict.fromkeys(EVERYDAY[word], 1.0))[0]
    other = (procedural.expression_basis @ arkit).flatten()
    assert torch.nn.functional.cosine_similarity(own, other, dim=0) > 0.6


def test_words_need_all_their_modes():
    names = ["mouthSmileLeft", "mouthSmileRight", "browOuterUpLeft", "browOuterUpRight", "browA", "browB"]
    assert everyday_modes("smile", names, {}) == names[:2]
    assert everyday_modes("brow_up", names, {}) is None
    assert everyday_modes("brow_up", names, {"browInnerUp": ["browA", "browB"]}) == [*names[4:], *names[2:4]]
    assert everyday_modes("grin", names, {}) is None


@needs_heads
def test_makehuman_smiles():
    model = build_face_model({"type": "MakeHuman", "verbose": False})
    both = model.expression_coefficients(mouthSmileLeft=0.8, mouthSmileRight=0.8)
    assert torch.equal(model.expression_coefficients(smile=0.8), both) and both.sum() > 1
    with pytest.raises(InputError, match="no movement is called 'smyle'. Did you mean 'smile'"):
        model.movement("smyle")
