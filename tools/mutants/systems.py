"""Faults in LiftedGAN, StyleRig, inversion, heads from photographs, animation and the studio."""

_LIFTED = "tests/models/liftedgan/test_lifted_geometry.py"
_TERMS = "tests/models/liftedgan/test_lifted_terms.py"
_RIG = "tests/models/stylerig/test_rignet.py"
_RESIDUAL = "tests/models/inversion/test_residual.py"
_TEXTURE = "tests/photo/test_texture.py"
_STUDIO = "tests/studio/test_studio_server.py"
_ANIMATION = "tests/animation/test_animation.py"

MUTANTS = [
    (
        "faceuv/models/liftedgan/geometry.py",
        _LIFTED,
        [
            ("torch.tanh(raw - raw.mean((1, 2), keepdim=True))", "torch.tanh(raw)"),
            ("value=space.distance + space.border)", "value=space.distance)"),
            ("torch.where(depth <= space.behind, 1.0,", "torch.where(depth >= space.behind, 1.0,"),
            ("sigma = 4 * math.sqrt(2) * size / 256", "sigma = 4 * size / 256"),
            (
                "torch.lerp(vertices, pose(vertices, rotation, translation), amount",
                "torch.lerp(pose(vertices, rotation, translation), vertices, amount",
            ),
            ("right = grid[:, 1:-1, 2:] - grid[:, 1:-1, :-2]", "right = grid[:, 1:-1, :-2] - grid[:, 1:-1, 2:]"),
            ("near = (corners < space.behind).all(1)", "near = (corners < space.behind).any(1)"),
            ("inside = (around - 4 * seen", "inside = (around - 3 * seen"),
        ],
    ),
    (
        "faceuv/models/liftedgan/parameters.py",
        f"{_LIFTED} {_TERMS}",
        [
            ("return rotation * math.radians(self.rotation_deg), ", "return rotation * self.rotation_deg, "),
            ("(light[:, :2] / 2 + 0.5)", "(light[:, :2] / 2)"),
        ],
    ),
    (
        "faceuv/models/liftedgan/terms.py",
        _TERMS,
        [
            ("(0.5 / deviation.square())", "(0.5 / deviation)"),
            ("near = yaw.abs() < self.max_yaw", "near = yaw < self.max_yaw"),
            ("rest = grey - blurred(grey) if", "rest = grey if"),
        ],
    ),
    (
        "faceuv/models/liftedgan/release.py",
        "tests/models/liftedgan/test_lifted_networks.py",
        [("_VIEW_SIGNS = (1.0, -1.0, -1.0, 1.0, -1.0, -1.0)", "_VIEW_SIGNS = (1.0, -1.0, -1.0, 1.0, -1.0, 1.0)")],
    ),
    (
        "faceuv/models/stylerig/rignet.py",
        _RIG,
        [
            ("nn.init.zeros_(parameter)  # ŵ = w first", "nn.init.ones_(parameter)"),
            ("features.append(encoded * self.project(p))", "features.append(self.project(p))"),
            ('(self.mean if self.given == "wanted" else own)', '(own if self.given == "wanted" else self.mean)'),
            ("return code + step @ self.spread", "return code + step"),
            ("values.clamp_min(0).sqrt()[:, None]", "values.clamp_min(0)[:, None]"),
        ],
    ),
    (
        "faceuv/models/stylerig/rig.py",
        _RIG,
        [
            ("torch.where(columns, other.data, own.data)", "torch.where(columns, own.data, other.data)"),
            ("torch.where(columns, kept.data, own.data)", "torch.where(columns, own.data, kept.data)"),
            ("rotation[:, 1] = yaw.expand(len(code))", "rotation[:, 0] = yaw.expand(len(code))"),
        ],
    ),
    (
        "faceuv/models/inversion/residual.py",
        _RESIDUAL,
        [
            ("return residual / view.shading.clamp_min(_DARKEST) * known, known", "return residual * known, known"),
            ("covered = covered * (mask > 0.5).to(image)", "covered = covered * (mask <= 0.5).to(image)"),
            ("uv = face_model.uv[face_model.mirror][None]", "uv = face_model.uv[None]"),
        ],
    ),
    (
        "faceuv/models/inversion/local.py",
        "tests/models/inversion/test_local.py::test_the_edit_mask_falls_with_the_change_of_the_map"
        " tests/models/inversion/test_local.py::test_the_gates_copy_the_residual_and_the_mirrored_one",
        [
            ("change = (after.diffuse - before.diffuse).abs()", "change = (after.diffuse - before.diffuse)"),
            ("own * given[:, :3] + mirrored * given[:, 5:8]", "mirrored * given[:, :3] + own * given[:, 5:8]"),
        ],
    ),
    (
        "faceuv/models/inversion/growth.py",
        "tests/models/inversion/test_encoder.py::test_the_range_of_poses_grows_by_the_papers_multipliers",
        [("if start <= share][-1]", "if start < share][-1]")],
    ),
    (
        "faceuv/models/inversion/encoder.py",
        "tests/models/inversion/test_encoder.py"
        "::test_the_first_answer_is_the_mean_code_and_the_coefficients_are_the_readers",
        [("nn.init.zeros_(row.weight)  # the first answer", "nn.init.ones_(row.weight)  # the first answer")],
    ),
    (
        "faceuv/models/inversion/projection.py",
        "tests/models/inversion/test_projection.py::test_the_best_code_is_kept_where_the_descent_goes_astray"
        " tests/models/inversion/test_projection.py::test_pictures_of_a_batch_do_not_influence_each_other",
        [
            ("better = going & (values < state.error)", "better = going"),
            ("combine(torch.tensor([self.seed]), state.step)", "combine(torch.tensor([self.seed]), len(pictures))"),
        ],
    ),
    (
        "faceuv/models/inversion/detail.py",
        "tests/models/inversion/test_detail.py",
        [("(relief * self.normals).to(displacement)", "relief.expand_as(displacement).to(displacement)")],
    ),
    (
        "faceuv/photo/blending.py",
        f"{_TEXTURE}::test_spread_keeps_what_is_known_and_goes_on_smoothly"
        f" {_TEXTURE}::test_the_mirrored_texel_is_on_the_other_side {_TEXTURE}::test_values_go_on_over_the_surface",
        [
            ("found = total + (1 - cover) * F.avg_pool2d(", "found = (1 - cover) * F.avg_pool2d("),
            ("corners = model.uv[model.mirror][chart.vertices]", "corners = model.uv[chart.vertices]"),
            ("system = graph * _STIFF + sparse", "system = graph * 0 + sparse"),
        ],
    ),
    (
        "faceuv/photo/light.py",
        f"{_TEXTURE}::test_light_and_albedo_are_found_again",
        [
            ("surface, light = part.mean + part.basis @", "surface, light = part.mean - part.basis @"),
            ("raised[:, 0] += DC_OFFSET", "raised[:, 0] -= DC_OFFSET"),
        ],
    ),
    (
        "faceuv/photo/alignment.py",
        "tests/photo/test_making.py::test_features_are_found_where_the_picture_has_them"
        " tests/photo/test_making.py::test_a_feature_moves_as_a_whole_and_keeps_the_shape_that_was_found",
        [
            (
                "return torch.stack([across.flatten()[best], down.flatten()[best]])",
                "return torch.stack([down.flatten()[best], across.flatten()[best]])",
            ),
            ("points[17:27] += steps", "points[17:27] -= steps"),
        ],
    ),
    (
        "faceuv/cli/head.py",
        "tests/cli/test_head_command.py::test_a_photograph_is_never_replaced"
        " tests/cli/test_head_command.py::test_files_of_others_are_never_replaced"
        " tests/cli/test_head_command.py::test_an_interruption_loses_the_photograph_at_hand_only"
        " tests/cli/test_head_command.py::test_no_head_takes_the_place_of_another",
        [
            ("parent.exists() and parent.samefile(folder)", "parent.samefile(folder.parent)"),
            ('re.sub(r"(_face)?_[0-9]+$", "", path.stem)', "path.stem"),
            ("if len(made) > 1 and name.lower() in taken:", "if False:"),
            ("return record if record and all(", "return record if record and not all("),
        ],
    ),
    (
        "faceuv/animation/data.py",
        _ANIMATION,
        [
            ("torch.lerp(self.weights[left], self.weights[right], share)", "self.weights[left]"),
            ("weights[:, NAMES.index(name)] = rows[:, k].float()", "weights[:, k] = rows[:, k].float()"),
        ],
    ),
    (
        "faceuv/animation/playing.py",
        _ANIMATION,
        [
            (
                "(rotation[0] + animation.head[k].to(rotation))",
                "(rotation[0] - animation.head[k].to(rotation))",
            ),
        ],
    ),
    (
        "faceuv/models/faces/kinematics.py",
        "tests/models/faces/test_points_of_heads.py",
        [
            ("middle = torch.stack([-sz, cz, zero], 1)", "middle = torch.stack([sz, cz, zero], 1)"),
            ("down = torch.stack([zero, -scale, -scale", "down = torch.stack([zero, -scale, scale"),
        ],
    ),
    (
        "faceuv/studio/wishes.py",
        f"{_STUDIO}::test_wrong_wishes_are_one_line {_STUDIO}::test_what_is_no_json_and_what_is_too_deep_is_one_line",
        [
            ("not math.isfinite(value) or not low <= value <= high", "value > high"),
            ("if depth >= DEPTH or", "if"),
        ],
    ),
    (
        "faceuv/studio/serving.py",
        f"{_STUDIO}::test_an_upload_that_is_too_long_is_refused_before_it_is_read"
        f" {_STUDIO}::test_another_site_or_name_gets_nothing {_STUDIO}::test_a_port_in_use_names_the_next_free_one",
        [
            ("if int(length) > most:", "if int(length) < 0:"),
            ("if act is None or not _PAGE_NAME.fullmatch(page):", "if act is None:"),
            ("self.server.is_local and host not in own", "not self.server.is_local and host not in own"),
        ],
    ),
]
