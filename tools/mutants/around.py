"""Faults around the networks: synthetic faces, data, fitting, evaluation, engine, export, files."""

MUTANTS = [
    (
        "faceuv/synthetic/seeds.py",
        "tests/synthetic/test_seeds.py",
        [
            ("low ^ hash_bits((high + 0x9E3779B9) & _MASK)", "low"),
            ("(stream + 1) * 0x85EBCA6B", "0x85EBCA6B"),
            ("* 2 - 1) * math.sqrt(2)", "* 2 - 1)"),
            (
                "return SceneSeeds(self.table.repeat_interleave(count, 0))",
                "return SceneSeeds(self.table.repeat(count, 1))",
            ),
        ],
    ),
    (
        "faceuv/synthetic/truth.py",
        "tests/synthetic/test_synthetic_faces.py",
        [
            ("return seen * (_look_up(drawn.hair, place) < 0.5)", "return seen * (_look_up(drawn.hair, place) > 0.5)"),
            ("grid = pixels / (0.5 * picture.shape[-1]) - 1", "grid = pixels / picture.shape[-1] - 1"),
        ],
    ),
    (
        "faceuv/data/augment.py",
        "tests/data/test_augment.py",
        [
            ("torch.sign(sign.to(self.strength) - self.target)", "torch.sign(self.target - sign.to(self.strength))"),
            ("(images / self.images)", "(self.images / images)"),
            (
                "return (torch.rand(len(image), device=image.device) < self.strength).float()",
                "return torch.ones(len(image), device=image.device)",
            ),
        ],
    ),
    (
        "faceuv/data/window.py",
        "tests/data/test_window.py",
        [
            (
                "across, along = x + u * right - v * down, y + v * right + u * down",
                "across, along = x + u * right + v * down, y - v * right + u * down",
            ),
            ("side = max(height, width) if rule", "side = min(height, width) if rule"),
        ],
    ),
    (
        "faceuv/fitting/solver.py",
        "tests/fitting/test_solver.py",
        [
            ("better = trial_cost < cost[rows]", "better = trial_cost > cost[rows]"),
            ("_EASE, _STIFFEN = 0.2, 5.0", "_EASE, _STIFFEN = 5.0, 0.2"),
            ("x.index_add(1, columns, -step)", "x.index_add(1, columns, step)"),
        ],
    ),
    (
        "faceuv/fitting/terms.py",
        "tests/fitting/test_derivatives.py",
        [
            ("squared * 2 * self.robust /", "squared * self.robust /"),
            ("self._away(x, rows) * self.weights", "self._away(x, rows)"),
            ("x @ matrix + self.weight * self.slope", "x @ matrix"),
        ],
    ),
    (
        "faceuv/evaluation/frechet.py",
        "tests/evaluation/test_frechet.py",
        [
            ("- 2 * cross", "- cross"),
            (
                "values[-moments.rank :], vectors[:, -moments.rank :]",
                "values[: moments.rank], vectors[:, : moments.rank]",
            ),
        ],
    ),
    (
        "faceuv/evaluation/kernel.py",
        "tests/evaluation/test_kernel.py",
        [
            ("+ 1) ** 3\n\n\ndef _kernel_with", "+ 1) ** 2\n\n\ndef _kernel_with"),
            ("(len(x) * (len(x) - 1))", "(len(x) * len(x))"),
        ],
    ),
    (
        "faceuv/evaluation/coefficient_errors.py",
        "tests/evaluation/test_coefficient_errors.py",
        [
            ("(torch.remainder(turned + 180, 360) - 180)", "torch.remainder(turned, 360)"),
            ("flip[:, 2] = torch.linalg.det(u @ vh).sign()", "flip[:, 2] = 1"),
            ("values.quantile(0.95)", "values.quantile(0.5)"),
        ],
    ),
    (
        "faceuv/evaluation/truth_errors.py",
        "tests/evaluation/test_truth_errors.py",
        [
            ("torch.atan2(across, along)", "torch.atan2(along, across)"),
            ("MM_PER_DM = 100.0", "MM_PER_DM = 10.0"),
            ("return (surface - seen).clamp_min(0)", "return surface * seen"),
        ],
    ),
    (
        "faceuv/evaluation/yaw_errors.py",
        "tests/evaluation/test_yaw_errors.py",
        [
            ('all_of["mirrored"], -all_of["own"]', 'all_of["mirrored"], all_of["own"]'),
            ("quantile(0.99)", "quantile(0.01)"),
        ],
    ),
    (
        "faceuv/evaluation/landmark_errors.py",
        "tests/evaluation/test_landmark_errors.py",
        [("(faces < 0.5)", "(faces >= 0.5)"), ("(values > FAILURE)", "(values > 2 * FAILURE)")],
    ),
    (
        "faceuv/engine/ema.py",
        "tests/engine/test_ema.py",
        [
            ("half_life: float = 10_000", "half_life: float = 100_000"),
            ("runner.train_dataloader.batch_size * runner.world_size", "runner.train_dataloader.batch_size"),
            ("1 - 0.5 ** (batch / half_life)", "0.5 ** (batch / half_life)"),
            ("min(half_life, seen * ramp_up)", "max(half_life, seen * ramp_up)"),
        ],
    ),
    (
        "faceuv/engine/compat/sampling.py",
        "tests/engine/test_sampling.py",
        [
            ("position = self.position + self.rank", "position = self.position"),
            ("position += self.world_size", "position += 1"),
            ("(self.seed * 1_000_003 + epoch)", "(self.seed * 1_000_003)"),
        ],
    ),
    (
        "faceuv/engine/compat/optim.py",
        "tests/engine/test_optim.py",
        [
            ('"lr": optimizer["lr"] * rate', '"lr": optimizer["lr"]'),
            ("            self._clip_grad()", "            pass"),
        ],
    ),
    (
        "faceuv/export/obj.py",
        "tests/export/test_obj_ply.py",
        [("1 - uv[:, 1]", "uv[:, 1]"), ('f"{v + 1}//{v + 1}"', 'f"{v}//{v}"')],
    ),
    (
        "faceuv/export/glb.py",
        "tests/export/test_glb.py",
        [("12 + sum(map(len, chunks))", "sum(map(len, chunks))")],
    ),
    (
        "faceuv/export/mesh_file.py",
        "tests/export/test_glb.py tests/export/test_mesh_file.py",
        [("((colours + 0.055) / 1.055) ** 2.4", "colours ** 1.0")],
    ),
    (
        "faceuv/export/gltf_buffer.py",
        "tests/export/test_glb.py",
        [('{"min": stored.min(0).tolist()', '{"min": stored.mean(0).tolist()')],
    ),
    (
        "faceuv/export/tangent.py",
        "tests/export/test_tangent.py",
        [
            ("torch.where(side < 0, -1.0, 1.0)", "torch.where(side < 0, 1.0, -1.0)"),
            ("= 0.5 + 0.5 * torch.where(known", "= 0.5 - 0.5 * torch.where(known"),
        ],
    ),
    (
        "faceuv/export/images.py",
        "tests/export/test_images.py",
        [
            (".clamp(0, 1) * 255).round()", ".clamp(0, 1) * 255).floor()"),
            ("top = margin + (k // columns)", "top = margin + (k % columns)"),
        ],
    ),
    (
        "faceuv/files/artefacts.py",
        "tests/files/test_artefacts.py",
        [("temporary.unlink(missing_ok=True)", "pass")],
    ),
]
