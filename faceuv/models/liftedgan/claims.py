"""What the paper's table 2 claims, as far as reports can measure it.

Reports that leave out one term are called ``no_flip``, ``no_perturb``, ``no_identity`` and ``no_albedo``; they can be
subjects of the first report as well, as in ``configs/liftedgan_ablations_64.py``.
"""

from __future__ import annotations

from faceuv.models.base.subject import FULL, METHOD, Claim

CLAIMS = (
    Claim("Without the flip term the depth is worse", (FULL, METHOD), ("no_flip", METHOD), ("scene_depth",)),
    Claim("Without perturbation the depth is worse", (FULL, METHOD), ("no_perturb", METHOD), ("scene_depth",)),
    Claim("Without the identity term the depth is worse", (FULL, METHOD), ("no_identity", METHOD), ("scene_depth",)),
    Claim("Without the albedo term the depth is worse", (FULL, METHOD), ("no_albedo", METHOD), ("scene_depth",)),
    Claim("Without the flip term pictures are nearer to the teacher's", ("no_flip", METHOD), (FULL, METHOD), ("l1",)),
    Claim("Turned in 3D the face stays itself", (FULL, METHOD), (FULL, "turned 2D"), ("identity_far",)),
)
