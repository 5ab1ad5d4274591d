"""What the paper claims of StyleFaceUV, as far as reports can measure it.

Reports that leave out one part of the method are called ``one_view``, ``no_mask`` and ``no_displacement``; they can be
subjects of the first report as well, as in ``configs/ablations_64.py``.
"""

from __future__ import annotations

from faceuv.models.base.subject import FULL, METHOD, Claim

LINEAR, TURNED = "linear", "turned 2D"
"""The baselines, as recipes name them."""

CLAIMS = (
    Claim(
        "Two views beat one on the unseen side",
        (FULL, METHOD),
        ("one_view", METHOD),
        ("scene_albedo_unseen", "l1_symmetric", "perceptual_symmetric"),
    ),
    Claim(
        "Displacement lowers the error of normals",
        (FULL, METHOD),
        ("no_displacement", METHOD),
        ("scene_normal_seen_deg", "scene_normal_deg"),
    ),
    Claim(
        "View masks beat no mask",
        (FULL, METHOD),
        ("no_mask", METHOD),
        (
            *("l1", "perceptual", "scene_albedo_seen", "scene_albedo_unseen"),
            *("l1_symmetric", "psnr_symmetric", "ssim_symmetric", "perceptual_symmetric"),
        ),
    ),
    Claim(
        "Ours beats 2D rotation at large yaw, in identity and in consistency",
        (FULL, METHOD),
        (FULL, TURNED),
        ("identity_far", "identity_kept_far", "texels_unlit_far", "texels_far"),
    ),
    Claim(
        "Maps beat the linear albedo",
        (FULL, METHOD),
        (FULL, LINEAR),
        ("l1", "perceptual", "identity", "scene_albedo_seen"),
    ),
)
