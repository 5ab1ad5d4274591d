"""Images and scores of checkpoints given by a formula, recorded once.

Our code and the public implementation gave these numbers alike (the largest difference of a pixel was 4e-6).
"""

from __future__ import annotations

import pytest
import torch

from faceuv.models.stylegan2 import load_discriminator, load_generator

# size: mean, standard deviation, three pixels of the raw image (truncation 0.7), the discriminator's four scores
RECORDED = {
    16: (-0.52477, 1.25996, [0.28699, -1.18349, 0.07255], [0.46275, 0.41372, 0.47889, 0.52288]),
    256: (-0.04084, 1.36297, [0.91926, 0.54873, -0.58316], [-0.44386, -0.45086, -0.44799, -0.44767]),
}


def outputs(path, size, wave):
    g, d = load_generator(path, size=size), load_discriminator(path, size=size)
    z = wave("z", (2, g.latent_dim))
    image = g.synthesis(g.truncate(g.mapping(z), 0.7), raw=True)
    scores = d(wave("images", (4, 3, size, size)), raw=True)
    return image, scores


@pytest.mark.parametrize("size", sorted(RECORDED))
def test_recorded_statistics(rosinality_file, layouts, size):
    image, scores = outputs(rosinality_file(size), size, layouts.wave)
    mean, deviation, pixels, expected_scores = RECORDED[size]
    assert float(image.mean()) == pytest.approx(mean, abs=1e-4)
    assert float(image.std()) == pytest.approx(deviation, abs=1e-4)
    found = torch.stack([image[0, 0, 0, 0], image[0, 1, size // 2, size // 3], image[1, 2, -1, -2]])
    torch.testing.assert_close(found, torch.tensor(pixels), atol=1e-4, rtol=0)
    torch.testing.assert_close(scores.flatten(), torch.tensor(expected_scores), atol=1e-4, rtol=0)
