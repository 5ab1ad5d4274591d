"""Faults in StyleFaceUV itself: its objective, its schedule, F3D and F_yaw, and the numbers of its recipes."""

_OBJECTIVE = "tests/models/stylefaceuv/test_objective.py"
_TRAINING = "tests/models/stylefaceuv/test_stylefaceuv_training.py"
_MAPPING = "tests/models/stylefaceuv/test_mapping_training.py"
_VIEWS = "tests/models/stylefaceuv/test_stylefaceuv_views.py"
_MAPPERS = "tests/models/stylefaceuv/test_mappers.py"
_NUMBERS = "tests/models/stylefaceuv/test_stylefaceuv_recipe.py::test_the_paper_s_numbers"
_RELEASE = "tests/models/stylefaceuv/test_stylefaceuv_recipe.py::test_the_release_s_numbers"
_UV = "tests/models/stylefaceuv/test_uv_generator.py"
_EVALUATION = "tests/models/stylefaceuv/test_stylefaceuv_evaluation.py"

MUTANTS = [
    (
        "faceuv/models/stylefaceuv/objective.py",
        _OBJECTIVE,
        [
            (
                '{"scores": scores(fake)}, {"scores": scores(real)})',
                '{"scores": scores(real)}, {"scores": scores(fake)})',
            ),
            ("image = (real * 2 - 1).requires_grad_()", "image = real.clone().requires_grad_()"),
            ("scores(image, raw=True)", "scores(image)"),
            ("names = views.names if len(values) == count else views.names[:1]", "names = views.names[:1]"),
            ("] = weight * mean", "] = mean"),
            ("return render.image, images * render.mask.detach()", "return render.image, images"),
            ("return render.over(images), images", "return render.image, images"),
            ("if adversarial.per_view else (image,)", "if not adversarial.per_view else (image,)"),
            (
                "shown_to_discriminator(render.detach(), views.images, adversarial)\n        add(",
                "shown_to_discriminator(render, views.images, adversarial)\n        add(",
            ),
            (
                '            target["mask"] = render.weights',
                '            target["mask"] = torch.ones_like(render.weights)',
            ),
            ("_, real = shown_to_discriminator(render.detach(), views.images, adversarial)", "real = views.images"),
        ],
    ),
    (
        "faceuv/losses/adversarial.py",
        f"tests/losses/test_adversarial_losses.py {_OBJECTIVE}",
        [
            (
                "return F.softplus(fake.float()), F.softplus(-real.float())",
                "return F.softplus(-fake.float()), F.softplus(real.float())",
            ),
            (
                "return F.softplus(fake.float()), F.softplus(-real.float())",
                "return F.softplus(fake.float()), F.softplus(real.float())",
            ),
            ("return (fake + real).flatten()", "return (fake - real).flatten()"),
            ("return F.softplus(-scores.float()).flatten()", "return F.softplus(scores.float()).flatten()"),
        ],
    ),
    (
        "faceuv/losses/gradient_penalty.py",
        "tests/losses/test_adversarial_losses.py",
        [
            ("0.5 * self.gamma * self.interval", "2.0 * self.gamma * self.interval"),
            ("0.5 * self.gamma * self.interval", "0.5 * self.gamma"),
            ("step % self.interval == 0", "step % self.interval == 1"),
            (".square().flatten(1).sum(1)", ".square().flatten(1).mean(1)"),
        ],
    ),
    (
        "faceuv/models/stylefaceuv/method.py",
        f"{_OBJECTIVE} {_TRAINING}",
        [
            ("MM_PER_DM = 100", "MM_PER_DM = 10"),
            (
                'self.counted("steps") % self.adversarial.every == 0',
                'self.counted("discriminator_steps") % self.adversarial.every == 0',
            ),
            ('r1.due(self.counted("discriminator_steps"))', 'r1.due(self.counted("steps"))'),
            ("// len(self.views) * get_world_size()", "* get_world_size()"),
            ('shared = self.view_options.maps == "shared"', 'shared = self.view_options.maps != "shared"'),
            ("clamp=self.view_options.clamp,", "clamp=False,"),
            (
                "renders.append(self.draw(views, self.uv_generator, mask=self.mask))",
                "renders.append(self.draw(views, self.uv_generator))",
            ),
        ],
    ),
    (
        "faceuv/models/stylefaceuv/method.py",
        _EVALUATION,
        [
            ("((even * 2 - 1) * self.random_yaw)", "((even * 2) * self.random_yaw)"),
            ("math.radians(random_yaw_deg)", "random_yaw_deg"),
        ],
    ),
    (
        "faceuv/models/stylefaceuv/options.py",
        f"{_MAPPING} {_TRAINING}",
        [
            ("symmetric_weight: float = 0.75", "symmetric_weight: float = 1.0"),
            ('coefficients: Source = "fitted"', 'coefficients: Source = "predicted"'),
            ('maps: Literal["shared", "own"] = "shared"', 'maps: Literal["shared", "own"] = "own"'),
            ('= "pasted"\n', '= "render"\n'),
            ("every: int = 5", "every: int = 1"),
            ("return (1.0, float(self.symmetric_weight))", "return (float(self.symmetric_weight), 1.0)"),
        ],
    ),
    (
        "faceuv/models/stylefaceuv/teacher_views.py",
        _VIEWS,
        [
            ('angles = {"symmetric": -yaw, **angles}', 'angles = {"symmetric": yaw, **angles}'),
            ("rows.append(mapper(codes[-1]).data)", "rows.append(mapper(code).data)"),
            ("images.clamp(0, 1)", "images"),
            ("images.to(rows.dtype) / 255", "images.to(rows.dtype) / 256"),
        ],
    ),
    (
        "faceuv/models/stylefaceuv/views.py",
        f"{_VIEWS} {_OBJECTIVE} {_MAPPING}::test_defaults_are_the_paper_s",
        [
            ("override: float = 0.5", "override: float = 1.0"),
            ("if views == 2:", "if views == 3:"),
            (".clamp_min(0).minimum(drawn.mask)", ".clamp_min(0)"),
            (
                "return composite(self.image, self.mask, background)",
                "return composite(self.image, self.mask.round(), background)",
            ),
        ],
    ),
    (
        "faceuv/models/stylefaceuv/stepper_training.py",
        _MAPPING,
        [
            ("torch.where(mirrored, -self.yaw(code), even)", "torch.where(mirrored, self.yaw(code), even)"),
            ("* 2 - 1) * self.range\n", "* 2 - 1) * self.range * 2\n"),
            ("* 2 - 1) * self.range\n", ") * self.range\n"),
            ("< self.symmetric\n", "> self.symmetric * 2\n"),
            (
                'data = CodeFits(fits, split="train", held_out=held_out)',
                'data = CodeFits(fits, split="all", held_out=held_out)',
            ),
            ("fitted.quantile(0.98)", "fitted.quantile(0.5)"),
            ("symmetric: float = 0.5", "symmetric: float = 0.0"),
            ('{"yaw": wanted[:, None] * DEGREES}', '{"yaw": wanted[:, None]}'),
        ],
    ),
    (
        "faceuv/models/stylefaceuv/mapper_training.py",
        _MAPPING,
        [
            (
                'data = CodeFits(fits, split="train", held_out=held_out)',
                'data = CodeFits(fits, split="all", held_out=held_out)',
            ),
            ('"raw": coefficients,', '"raw": self.mapper.standardise(coefficients),'),
        ],
    ),
    (
        "faceuv/models/stylefaceuv/mappers.py",
        _MAPPERS,
        [
            ("((code - self.code_mean) / self.code_scale)", "((code + self.code_mean) / self.code_scale)"),
            (
                "return (coefficients - self.mean) / self.deviation",
                "return (coefficients - self.mean) * self.deviation",
            ),
            ("return goal - position + correction", "return goal + position + correction"),
            ("return self.sigmas(code, yaw) * self.scale", "return self.sigmas(code, yaw)"),
            ("self.yaw_per_sigma.fill_(slope)", "self.yaw_per_sigma.fill_(-slope)"),
            ("return self.move(code, -mapper.yaw(code))", "return self.move(code, mapper.yaw(code))"),
            ("own = column - self.layout.albedo if", "own = column if"),
            (".repeat(1, rows) / rows", ".repeat(1, rows)"),
            ("PAPER_WIDTHS = (9 * 512, 6 * 512, 3 * 512, 512)", "PAPER_WIDTHS = (9 * 512, 6 * 512, 3 * 512, 256)"),
            ("albedo, nn.ELU, rows", "albedo, nn.Tanh, rows"),
        ],
    ),
    (
        "faceuv/models/stylefaceuv/uv_generator.py",
        f"{_UV} {_MAPPING}",
        [
            ("displacement_scale: float = 0.01", "displacement_scale: float = 0.1"),
            ("((colours.tanh() + 1) / 2)", "(colours.tanh() / 2 + 1)"),
            ("bounded = offsets.tanh() * self.displacement_scale", "bounded = offsets * self.displacement_scale"),
            ("silence(self.displacement, list(table))", "pass"),
            ("code[:, -1:].expand(-1, missing, -1)", "code[:, :1].expand(-1, missing, -1)"),
        ],
    ),
    (
        "faceuv/data/codes.py",
        "tests/data/test_codes.py",
        [
            ("held = index % held_out == 0", "held = index % held_out == 1"),
            ('{"train": ~held, "val": held', '{"train": held, "val": held'),
            ('{"train": ~held, "val": held', '{"train": torch.ones_like(held), "val": held'),
            ("yaw < math.radians(max_yaw_deg)", "yaw < max_yaw_deg"),
            (".rotation[:, 1].abs()", ".rotation[:, 0].abs()"),
            (".rotation[:, 1].abs()", ".rotation[:, 1]"),
        ],
    ),
    (
        "faceuv/configs/stylefaceuv_ffhq.py",
        _NUMBERS,
        [
            ("rec = 10.0", "rec = 1.0"),
            ("percept = 0.2", "percept = 2.0"),
            ("gamma=10.0, interval=16", "gamma=10.0, interval=4"),
            ("override=0.5", "override=1.0"),
            ("symmetric_weight=0.75", "symmetric_weight=0.5"),
            ("max_yaw_deg=30.0", "max_yaw_deg=90.0"),
            ("displacement_scale=0.01", "displacement_scale=0.1"),
            ("half_life=10_000", "half_life=100_000"),
            ("epochs = 15", "epochs = 2"),
            ("batch_size = 12", "batch_size = 64"),
        ],
    ),
    (
        "faceuv/configs/mapper_ffhq.py",
        _NUMBERS,
        [
            ("lr=1e-5", "lr=1e-3"),
            ("max_epochs=22", "max_epochs=2"),
            ("batch_size=16", "batch_size=64"),
            ("count=38_820", "count=3_882"),
            ('split="train", held_out=10', 'split="all", held_out=10'),
            ("milestones=[5, 10, 15]", "milestones=[15]"),
        ],
    ),
    (
        "faceuv/configs/stepper_ffhq.py",
        _NUMBERS,
        [("samples=200_000", "samples=20_000"), ("ratio=0.02", "ratio=0.2"), ("range_deg=30.0", "range_deg=60.0")],
    ),
    (
        "faceuv/configs/stylefaceuv_ffhq_release.py",
        _RELEASE,
        [('activation="tanh"', 'activation="elu"'), ("= 1e-3", "= 1e-4"), ('= "coverage"', '= "weights"')],
    ),
]
