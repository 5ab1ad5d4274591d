"""Faults in codes, StyleGAN2, directions and the networks that read pictures."""

_LAYERS = "tests/models/stylegan2/test_stylegan2_layers.py"
_GENERATOR = "tests/models/stylegan2/test_stylegan2_generator.py"

MUTANTS = [
    (
        "faceuv/models/base/codes.py",
        _GENERATOR,
        [
            ("torch.where(row < edge, coarse, fine)", "torch.where(row <= edge, coarse, fine)"),
            (
                "return torch.lerp(mean.expand_as(code), code, psi)",
                "return torch.lerp(code, mean.expand_as(code), psi)",
            ),
        ],
    ),
    (
        "faceuv/models/base/method.py",
        "tests/models/stylefaceuv/test_stylefaceuv_training.py",
        [
            (
                "weighted: Tensor = self.weights[name] * loss.per_image(pred, target)",
                "weighted: Tensor = loss.per_image(pred, target)",
            ),
            ("parameter.requires_grad_(True)", "parameter.requires_grad_(False)"),
        ],
    ),
    (
        "faceuv/models/stylegan2/layers.py",
        _LAYERS,
        [
            ("SLOPE = 0.2", "SLOPE = 0.02"),
            ("ACTIVATION_GAIN = math.sqrt(2.0)", "ACTIVATION_GAIN = 2.0"),
            ("torch.rsqrt(scale.square() @ energy.T + 1e-8)", "torch.rsqrt(scale @ energy.T + 1e-8)"),
            (
                "self.affine = EqualizedLinear(code_dim, inputs, bias=1.0)",
                "self.affine = EqualizedLinear(code_dim, inputs)",
            ),
            ("y = blur(y, padding=1, gain=4.0)", "y = blur(y, padding=1, gain=1.0)"),
        ],
    ),
    (
        "faceuv/models/stylegan2/filters.py",
        _LAYERS,
        [
            ("TAPS = (1.0, 3.0, 3.0, 1.0)", "TAPS = (1.0, 1.0, 1.0, 1.0)"),
            ("_kernel(x, 4.0), padding=1", "_kernel(x, 2.0), padding=1"),
        ],
    ),
    (
        "faceuv/models/stylegan2/mapping.py",
        _GENERATOR,
        [
            (
                "torch.rsqrt(w.square().mean(1, keepdim=True) + 1e-8)",
                "torch.rsqrt(w.square().sum(1, keepdim=True) + 1e-8)",
            )
        ],
    ),
    (
        "faceuv/models/stylegan2/synthesis.py",
        _GENERATOR,
        [
            ("row = 2 * resolution.bit_length() - 5", "row = 2 * resolution.bit_length() - 6"),
            ("(picture * 0.5 + 0.5)", "(picture + 0.5)"),
            ("upsample(picture) + update", "upsample(picture) - update"),
        ],
    ),
    (
        "faceuv/models/stylegan2/channels.py",
        _GENERATOR,
        [
            ("return 2 * len(resolutions(size))", "return 2 * len(resolutions(size)) + 1"),
            ("min(base // r, maximum)", "max(base // r, maximum)"),
        ],
    ),
    (
        "faceuv/models/stylegan2/discriminator.py",
        "tests/models/stylegan2/test_stylegan2_discriminator.py",
        [
            ("image if raw else image * 2 - 1", "image if raw else image"),
            ("HALF = math.sqrt(0.5)", "HALF = 1.0"),
            ("x.reshape(count, -1, *x.shape[1:]).var(0", "x.reshape(-1, count, *x.shape[1:]).var(1"),
        ],
    ),
    (
        "faceuv/models/stylegan2/training/adversarial.py",
        "tests/models/stylegan2/training/test_stylegan2_method.py",
        [
            (
                "return mix(first, second, torch.where(mixed, edge, layers))",
                "return mix(first, second, torch.where(mixed, layers, edge))",
            ),
            ("image = torch.where(flip, image.flip(3), image)", "image = torch.where(flip, image.flip(2), image)"),
            (
                'pred, target = {"scores": scores["fake"]}, {"scores": scores["real"]}',
                'pred, target = {"scores": scores["real"]}, {"scores": scores["fake"]}',
            ),
        ],
    ),
    (
        "faceuv/models/directions/linear_svm.py",
        "tests/models/directions/test_svm_direction.py",
        [
            ("centre, scale = codes.mean(0), math.sqrt(rows)", "centre, scale = codes.mean(0), 1.0"),
            ("centre, scale = codes.mean(0), math.sqrt(rows)", "centre, scale = codes.mean(0), float(rows)"),
            ("- intercept / (length * scale)", "+ intercept / (length * scale)"),
        ],
    ),
    (
        "faceuv/models/directions/svm.py",
        "tests/models/directions/test_svm_direction.py",
        [
            ("offset *= math.sqrt(rows)", "pass"),
            ("ratio: float = 0.02", "ratio: float = 0.2"),
            ("return (low[:count], high[:count]), (low[count:], high[count:])", "return (low, high), (low, high)"),
        ],
    ),
    (
        "faceuv/models/directions/base.py",
        "tests/models/directions/test_direction.py",
        [
            ("flat = flat - basis @ (basis.T @ flat)", "flat = flat - 0.5 * basis @ (basis.T @ flat)"),
            ("vector / (vector.norm() * math.sqrt(len(layers)))", "vector / vector.norm()"),
            ("return code + steps.reshape(-1, 1, 1)", "return code - steps.reshape(-1, 1, 1)"),
        ],
    ),
    (
        "faceuv/models/directions/ganspace.py",
        "tests/models/directions/test_ganspace.py",
        [
            (
                "values, vectors = values.flip(0)[: self.components], columns.T.flip(0)[: self.components]",
                "values, vectors = values[: self.components], columns.T[: self.components]",
            ),
            ('"share": float(values[k]) / total', '"share": float(values[k])'),
        ],
    ),
    (
        "faceuv/models/directions/sefa.py",
        "tests/models/directions/test_sefa.py",
        [
            (
                "torch.linalg.eigh(matrix.T @ matrix)",
                "torch.linalg.eigh(matrix.T @ matrix + torch.diag(torch.arange(matrix.shape[1])))",
            ),
            ("normalise: bool = True,\n        truncation", "normalise: bool = False,\n        truncation"),
        ],
    ),
    (
        "faceuv/models/directions/regression.py",
        "tests/models/directions/test_regression_direction.py",
        [
            ("torch.linalg.solve(covariance + ridge", "torch.linalg.solve(ridge"),
            ("/ (sigma * math.sqrt(variance))", "/ (sigma * variance)"),
        ],
    ),
    (
        "faceuv/models/directions/scores.py",
        "tests/models/directions/test_svm_direction.py",
        [
            ("lambda c: -c.lighting[:, :, 3].mean(1)", "lambda c: c.lighting[:, :, 3].mean(1)"),
            ("lambda c: c.rotation[:, 2]", "lambda c: c.rotation[:, 0]"),
        ],
    ),
    (
        "faceuv/models/readers/regressor.py",
        "tests/models/readers/test_regressor.py",
        [
            ("self.mean + self.deviation * self.scores(images)", "self.mean + self.scores(images)"),
            ("nn.init.zeros_(last.weight)  # the first answer is the mean face", "pass"),
        ],
    ),
    (
        "faceuv/models/readers/landmark_network.py",
        "tests/models/readers/test_landmark_network.py",
        [
            ("+ 0.5) * (2 / count) - 1", "+ 0.5) * (2 / count) - 1.5"),
            (
                "torch.stack([maps.sum(2) @ x, maps.sum(3) @ y], 2)",
                "torch.stack([maps.sum(3) @ y, maps.sum(2) @ x], 2)",
            ),
        ],
    ),
]
