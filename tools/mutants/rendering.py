"""Faults in geometry, renderers, losses and face models."""

_MASKS = "tests/renderers/test_masks.py"
_RENDERER = "tests/renderers/test_renderer.py"

MUTANTS = [
    (
        "faceuv/geometry/lighting.py",
        "tests/geometry/test_lighting.py",
        [
            (
                "            K2 * x * y,\n            -K2 * y * z,",
                "            -K2 * y * z,\n            K2 * x * y,",
            ),
            ("x, y, z = normals.unbind(-1)", "x, y, z = normals.unbind(-1)\n    y = -y"),
            ("DC_OFFSET = 0.8", "DC_OFFSET = 0.0"),
            ("scale[:, 0] = 1 / math.pi", "scale[:, 0] = 1 / (2 * math.pi)"),
            ("zz = 3 * K2 * D0 * g[..., 6]", "zz = K2 * D0 * g[..., 6]"),
            ("lighting[:, :, 0] = colour / K0 - DC_OFFSET", "lighting[:, :, 0] = colour / K0"),
            ('"left": ((0.25, 0.25, 0.26), [((-1.0,', '"left": ((0.25, 0.25, 0.26), [((1.0,'),
        ],
    ),
    (
        "faceuv/geometry/rotations.py",
        "tests/geometry/test_rotations.py",
        [
            ("(-sy, cy * sx, cy * cx)", "(sy, cy * sx, cy * cx)"),
            ("return vectors @ matrix.transpose(1, 2)", "return vectors @ matrix"),
            ("y = torch.atan2(sy, cy)", "y = torch.atan2(-sy, cy)"),
        ],
    ),
    (
        "faceuv/geometry/projection.py",
        "tests/geometry/test_projection.py",
        [
            ("0.5 * height - focal", "0.5 * height + focal"),
            ("camera.focal * min(height, width)", "camera.focal * max(height, width)"),
            ("return camera.distance - vertices[..., 2]", "return camera.distance + vertices[..., 2]"),
            ("+ translation[:, None]", "- translation[:, None]"),
        ],
    ),
    (
        "faceuv/geometry/normals.py",
        "tests/geometry/test_normals.py",
        [
            ("return torch.linalg.cross(b - a, c - a)", "return torch.linalg.cross(c - a, b - a)"),
            (
                "plane.index_add_(0, a, d_one.add_(d_two), alpha=-1)",
                "plane.index_add_(0, a, d_one.add_(d_two), alpha=1)",
            ),
            ("det = u1 * v2 - u2 * v1", "det = u1 * v2 + u2 * v1"),
        ],
    ),
    (
        "faceuv/geometry/uv.py",
        "tests/geometry/test_uv.py",
        [
            ("maps, 3, 1.0 / width)", "maps, 3, 1.0 / height)"),
            ("torch.where(side < 0, -raw, raw)", "torch.where(side < 0, raw, -raw)"),
            ("double() + 0.5\n", "double()\n"),
            ('padding_mode="border", align_corners=False', 'padding_mode="border", align_corners=True'),
        ],
    ),
    (
        "faceuv/geometry/scan.py",
        "tests/geometry/test_scan.py",
        [
            ('side = front if cull == "back" else back', 'side = back if cull == "back" else front'),
            ('_key(depth, seen + first), "amin"', '_key(depth, seen + first), "amax"'),
            ("return side & (area != 0)", "return area != 0"),
        ],
    ),
    (
        "faceuv/renderers/masks.py",
        _MASKS,
        [
            ("torch.where(original > 0, override, 1.0)", "torch.where(original > 0, 1.0, override)"),
            ("rings: int = 1", "rings: int = 0"),
            ("read = rows.clone()\n    read[:, :, 1:] |= rows[:, :, :-1]\n", "read = rows.clone()\n"),
            ("grid = uv.permute(0, 2, 3, 1) * 2 - 1", "grid = 1 - uv.permute(0, 2, 3, 1) * 2"),
        ],
    ),
    (
        "faceuv/renderers/compositing.py",
        _RENDERER,
        [
            ("return image + (1 - mask) *", "return image + mask *"),
            ("return image + (1 - mask) *", "return image * mask + (1 - mask) *"),
        ],
    ),
    (
        "faceuv/renderers/interpolation.py",
        "tests/renderers/test_interpolation.py",
        [
            ("depth = edge_sum.mul_(scale)", "depth = edge_sum"),
            ("z += h * depth", "z -= h * depth"),
            ("weight_grad = (a * grad).sum(-1)", "weight_grad = (a * grad).mean(-1)"),
            ("column.to(pixels.dtype) + 0.5", "column.to(pixels.dtype)"),
        ],
    ),
    (
        "faceuv/renderers/antialias.py",
        "tests/renderers/test_antialias.py",
        [
            ("blend.append(distance - 0.5)", "blend.append(0.5 - distance)"),
            ("target = torch.where(blend > 0, outer, inner)", "target = torch.where(blend > 0, inner, outer)"),
            ("left_is_inside = c[:, along] < at_opposite", "left_is_inside = c[:, along] > at_opposite"),
        ],
    ),
    (
        "faceuv/renderers/base.py",
        _RENDERER,
        [
            (
                "F.avg_pool2d(drawn.image, s), F.avg_pool2d(drawn.mask, s)",
                "drawn.image[..., ::s, ::s], drawn.mask[..., ::s, ::s]",
            ),
            ("image = shade(image, normal, look.lighting)", "image = image"),
        ],
    ),
    (
        "faceuv/losses/photometric.py",
        "tests/losses/test_fitting_losses.py",
        [
            (".detach()\n        truth", "\n        truth"),
            ('counted = mask if self.divide_by == "weights"', 'counted = mask if self.divide_by == "pixels"'),
            ("squared * (outlier**2 / (squared + outlier**2))", "squared * (outlier / (squared + outlier**2))"),
            ("mask = mask * entry(target", "mask = mask + entry(target"),
        ],
    ),
    (
        "faceuv/losses/perceptual.py",
        "tests/losses/test_perceptual.py",
        [
            ('side == "target" and self.mask == "coverage"', 'side == "pred" and self.mask == "coverage"'),
            ("image, truth = image * mask, truth * mask", "image, truth = image * mask, truth"),
            ("least=8)", "least=4)"),
            (".square().sum(1).mean((1, 2))\n", ".square().mean((1, 2, 3))\n"),
        ],
    ),
    (
        "faceuv/losses/standardised.py",
        "tests/losses/test_standardised.py",
        [("(found - wanted).abs().mean()", "(found - wanted).square().mean()"), ("/ max(count, 1)", "")],
    ),
    (
        "faceuv/losses/landmark.py",
        "tests/losses/test_fitting_losses.py",
        [
            ("weights[48:68] = emphasis", "weights[49:68] = emphasis"),
            ("return weights / weights.sum()", "return weights / len(weights)"),
        ],
    ),
    (
        "faceuv/losses/maps.py",
        "tests/losses/test_map_penalty.py",
        [
            ("unit: float = 0.01", "unit: float = 0.1"),
            ("ratio = wide - tall", "ratio = tall - wide"),
            ("return down.mean((1, 2)) + right.mean((1, 2))", "return down.mean((1, 2))"),
        ],
    ),
    (
        "faceuv/losses/distance.py",
        "tests/losses/test_distance.py",
        [(".sqrt() - self.smooth).mean()", ".sqrt()).mean()"), ("smooth: float = 0.1", "smooth: float = 1.0")],
    ),
    (
        "faceuv/models/faces/base.py",
        "tests/models/faces/test_base.py",
        [
            ("flat = flat + expression @ self.expression_basis", "flat = flat - expression @ self.expression_basis"),
            ("value[0, column] += amount * full", "value[0, column] = amount"),
        ],
    ),
    (
        "faceuv/models/faces/face_renderer.py",
        "tests/models/faces/test_face_renderer.py",
        [
            ("smooth.vertices + moved", "smooth.vertices - moved"),
            ("surface_normals(smooth_u + moved_u, smooth_v + moved_v", "surface_normals(smooth_u, smooth_v"),
            ("return coefficients.lighting if lighting else None", "return coefficients.lighting"),
        ],
    ),
    (
        "faceuv/models/faces/control.py",
        "tests/test_face.py",
        [
            ('(("pitch_deg", pitch_deg), ("yaw_deg", yaw_deg)', '(("yaw_deg", yaw_deg), ("pitch_deg", pitch_deg)'),
            ("value[:, column] = full * finite(name, amount)", "value[:, column] = finite(name, amount)"),
        ],
    ),
]
