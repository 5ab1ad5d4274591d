from __future__ import annotations

import argparse
from collections import OrderedDict

import numpy as np
import pytest
import torch

from faceuv.errors import AssetError
from faceuv.models.stylegan2 import load_discriminator, load_generator

SIZE = 16


def same_networks(a, b):
    one, other = a.state_dict(), b.state_dict()
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], msg=lambda m, name=name: f"{name}: {m}")
    assert a.settings() == b.settings()


class TestRosinality:
    @pytest.mark.parametrize("value", ["text", None, 3, [1, 2], torch.zeros(0), torch.zeros((), dtype=torch.complex64)])
    @pytest.mark.parametrize(
        "name", ["conv1.conv.modulation.weight", "style.1.weight", "to_rgbs.0.bias", "noises.noise_0"]
    )
    def test_values_of_other_kinds_are_refused_in_one_line(self, rosinality_file, name, value):
        path = rosinality_file(change=lambda data: data["g_ema"].update({name: value}))
        with pytest.raises(AssetError) as caught:
            load_generator(path)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 600 + len(str(path))

    @pytest.mark.parametrize("state", [3, "text", [1], {}, {3: torch.zeros(1)}])
    def test_networks_of_other_kinds_are_refused_in_one_line(self, rosinality_file, state):
        path = rosinality_file(change=lambda data: data.update(g_ema=state))
        with pytest.raises(AssetError) as caught:
            load_generator(path)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("legacy", [False, True])
    def test_shapes_tell_everything(self, rosinality_file, layouts, legacy):
        path = rosinality_file(legacy=legacy)
        g, d = load_generator(path, size=SIZE), load_discriminator(path, size=SIZE)
        channels = {r: layouts.channels[r] for r in (4, 8, 16)}
        assert (g.size, g.code_dim, g.latent_dim, len(g.mapping.layers)) == (SIZE, layouts.code, layouts.code, 3)
        assert g.channels == d.channels == channels
        assert not g.training
        assert not any(p.requires_grad for p in g.parameters())
        torch.testing.assert_close(g.mean_code, layouts.checkpoint(SIZE)["latent_avg"])
        torch.testing.assert_close(g.synthesis.styled[3].noise, layouts.generator(SIZE)["noises.noise_3"])

    def test_both_generators(self, rosinality_file):
        path = rosinality_file()
        ema, raw = load_generator(path), load_generator(path, weights="generator")
        torch.testing.assert_close(raw.synthesis.constant, ema.synthesis.constant * 0.9)

    def test_training_state_beside_the_weights_is_read_safely(self, rosinality_file):
        path = rosinality_file(args=argparse.Namespace(size=16, path="x"), ada_aug_p=0.0, g_optim={"state": {}})
        assert load_generator(path).size == SIZE

    def test_early_files_without_noise_and_average(self, rosinality_file):
        def change(data):
            data["g_ema"] = {k: v for k, v in data["g_ema"].items() if not k.startswith("noises")}
            del data["latent_avg"]

        g = load_generator(rosinality_file(change=change))
        assert g.synthesis.styled[0].noise.std() > 0
        assert g.mean_code.abs().sum() > 0
        other = load_generator(rosinality_file(change=change))
        torch.testing.assert_close(g.mean_code, other.mean_code, atol=0, rtol=0)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda d: d["g_ema"].pop("conv1.conv.weight"), r"not a complete rosinality.*missing conv1.conv.weight"),
            (lambda d: d["g_ema"].update(extra=torch.zeros(1)), r"extra do not belong"),
            (
                lambda d: d["g_ema"].update({"convs.1.conv.weight": torch.zeros(1, 20, 24, 3, 3)}),
                r"convs.1.conv.weight must have shape \(20, 20, 3, 3\), found \(20, 24, 3, 3\)",
            ),
            (
                lambda d: d["g_ema"].update({"convs.0.conv.blur.kernel": torch.ones(4, 4)}),
                r"convs.0.conv.blur.kernel: the resampling filter must be \[1, 3, 3, 1\]",
            ),
            (lambda d: d["g_ema"].update({"convs.0.noise.weight": torch.zeros(2)}), r"convs.0.noise.weight has the un"),
            (lambda d: d.update(g_ema={"a": torch.zeros(1)}), r"no 'to_rgbs"),
            (lambda d: d.update(g_ema=None), r"has no 'g_ema'; it holds"),
            (lambda d: d.update(g_ema=3), r"expected a state dict, found int"),
            (lambda d: [d.pop(k) for k in ("g_ema", "g", "d")], r"expected a rosinality.*found a dictionary"),
        ],
    )
    def test_wrong_files(self, rosinality_file, change, message):
        with pytest.raises(AssetError, match=message):
            load_generator(rosinality_file(change=change))

    def test_wrong_discriminator(self, rosinality_file):
        with pytest.raises(AssetError, match="convs.1.skip.1.weight must have shape"):
            load_discriminator(
                rosinality_file(change=lambda d: d["d"].update({"convs.1.skip.1.weight": torch.ones(1)}))
            )
        with pytest.raises(AssetError, match="no 'convs.*conv1' tensors"):
            load_discriminator(rosinality_file(change=lambda d: d.update(d={})))

    def test_unexpected_size(self, rosinality_file):
        with pytest.raises(AssetError, match="for 16² images, expected 256²"):
            load_generator(rosinality_file(), size=256)

    def test_truncated(self, rosinality_file):
        path = rosinality_file()
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(AssetError, match="may be truncated"):
            load_generator(path)

    def test_code_is_refused(self, rosinality_file):
        path = rosinality_file(change=lambda d: d.update(hook=print))
        with pytest.raises(AssetError, match="or hold code, which is refused"):
            load_generator(path)

    def test_not_a_network_at_all(self, tmp_path):
        page = tmp_path / "model.pt"
        page.write_text("<html>quota exceeded</html>")
        with pytest.raises(AssetError, match="failed download"):
            load_generator(page)
        page.write_bytes(b"")
        with pytest.raises(AssetError, match="it is empty"):
            load_generator(page)
        with pytest.raises(AssetError, match="does not exist"):
            load_generator(tmp_path / "absent.pt")


def stored_module(packages, tensors: dict, attributes: dict):
    """A tree of persistent modules as the NVIDIA releases pickle it, for dotted tensor names."""

    def rebuild(meta):
        raise AssertionError("the code of the file must not be run")

    if not hasattr(packages, "persistent"):
        packages.add("torch_utils.persistence", _reconstruct_persistent_obj=rebuild)

        class Module:
            def __init__(self, state):
                self.contents = state

            def __reduce__(self):
                meta = dict(
                    type="class",
                    version=6,
                    module_src="raise SystemExit('foreign code was run')",
                    class_name="Network",
                    state=self.contents,
                )
                return rebuild, (meta,)

        packages.persistent = Module

    def build(path):
        state = dict(attributes.get(path, {}))
        state.update(training=False, _parameters=OrderedDict(), _buffers=OrderedDict(), _modules=OrderedDict())
        state["_non_persistent_buffers_set"] = set()
        for name, value in tensors.items():
            parent, _, leaf = name.rpartition(".")
            if parent == path:
                buffer = leaf in ("resample_filter", "w_avg", "noise_const")
                group = "_buffers" if buffer else "_parameters"
                if value is not None:  # None only names the module
                    state[group][leaf] = value if buffer else torch.nn.Parameter(value)
            elif path == "" or parent.startswith(path + "."):
                child = (name if path == "" else name[len(path) + 1 :]).split(".")[0]
                state["_modules"].setdefault(child, None)
        for child in list(state["_modules"]):
            state["_modules"][child] = build(f"{path}.{child}" if path else child)
        return packages.persistent(state)

    return build("")


def ada_tensors(layouts):
    """The values of the rosinality checkpoint under the names of the PyTorch releases."""
    data = layouts.checkpoint(SIZE)
    g, d = data["g_ema"], data["d"]
    out = {"mapping.w_avg": data["latent_avg"], "synthesis.b4.const": g["input.input"][0]}
    for k in range(layouts.depth):
        for part in ("weight", "bias"):
            out[f"mapping.fc{k}.{part}"] = g[f"style.{k + 1}.{part}"]
    for k in range(5):
        theirs = "conv1" if k == 0 else f"convs.{k - 1}"
        name = f"synthesis.b{[4, 8, 8, 16, 16][k]}.{['conv1', 'conv0', 'conv1', 'conv0', 'conv1'][k]}"
        out[f"{name}.weight"] = g[f"{theirs}.conv.weight"][0]
        out[f"{name}.affine.weight"] = g[f"{theirs}.conv.modulation.weight"]
        out[f"{name}.affine.bias"] = g[f"{theirs}.conv.modulation.bias"]
        out[f"{name}.bias"] = g[f"{theirs}.activate.bias"]
        out[f"{name}.noise_strength"] = g[f"{theirs}.noise.weight"][0]
        out[f"{name}.noise_const"] = g[f"noises.noise_{k}"][0, 0]
        out[f"{name}.resample_filter"] = layouts.kernel()
    for k, r in enumerate((4, 8, 16)):
        theirs = "to_rgb1" if k == 0 else f"to_rgbs.{k - 1}"
        out[f"synthesis.b{r}.torgb.weight"] = g[f"{theirs}.conv.weight"][0]
        out[f"synthesis.b{r}.torgb.affine.weight"] = g[f"{theirs}.conv.modulation.weight"]
        out[f"synthesis.b{r}.torgb.affine.bias"] = g[f"{theirs}.conv.modulation.bias"]
        out[f"synthesis.b{r}.torgb.bias"] = g[f"{theirs}.bias"].flatten()
        out[f"synthesis.b{r}.resample_filter"] = layouts.kernel()
    critic = {"b16.fromrgb.weight": d["convs.0.0.weight"], "b16.fromrgb.bias": d["convs.0.1.bias"]}
    for k, r in ((1, 16), (2, 8)):
        critic[f"b{r}.conv0.weight"] = d[f"convs.{k}.conv1.0.weight"]
        critic[f"b{r}.conv0.bias"] = d[f"convs.{k}.conv1.1.bias"]
        critic[f"b{r}.conv1.weight"] = d[f"convs.{k}.conv2.1.weight"]
        critic[f"b{r}.conv1.bias"] = d[f"convs.{k}.conv2.2.bias"]
        critic[f"b{r}.skip.weight"] = d[f"convs.{k}.skip.1.weight"]
        critic[f"b{r}.conv1.resample_filter"] = layouts.kernel()
    for ours, theirs in (("conv", "final_conv.0"), ("fc", "final_linear.0"), ("out", "final_linear.1")):
        bias = "final_conv.1.bias" if ours == "conv" else f"{theirs}.bias"
        critic[f"b4.{ours}.weight"], critic[f"b4.{ours}.bias"] = d[f"{theirs}.weight"], d[bias]
    critic["b4.mbstd.unused"] = None
    return out, critic


class TestNvidiaTorch:
    @pytest.fixture
    def write(self, packages, layouts, tmp_path):
        def write(g_change=None, d_change=None, g_attributes=None, d_attributes=None, keys=("G", "D", "G_ema"), **more):
            g, d = ada_tensors(layouts)
            (g_change or (lambda _: None))(g)
            (d_change or (lambda _: None))(d)
            attributes = {
                "": {"c_dim": 0},
                "mapping.fc0": {"bias_gain": 0.01, "activation": "lrelu"},
                **(g_attributes or {}),
            }
            critic = {"": {"c_dim": 0}, "b4.mbstd": {"group_size": 4, "num_channels": 1}, **(d_attributes or {})}
            generator = stored_module(packages, g, attributes)
            networks = {"G": generator, "G_ema": generator, "D": stored_module(packages, d, critic)}
            path = tmp_path / "nvidia.pkl"
            packages.dump({**{k: networks[k] for k in keys}, "augment_pipe": None, **more}, path)
            return path

        return write

    def test_is_the_same_network_as_in_the_other_layout(self, write, rosinality_file):
        path, other = write(), rosinality_file()
        same_networks(load_generator(path), load_generator(other))
        same_networks(load_discriminator(path), load_discriminator(other))

    def test_settings_that_shapes_do_not_tell(self, write):
        path = write(
            g_attributes={"mapping.fc0": {"bias_gain": 0.1}, "synthesis.b4.conv1": {"conv_clamp": 256}},
            d_attributes={"b4.mbstd": {"group_size": None}, "b8.conv0": {"conv_clamp": 256}},
        )
        g, d = load_generator(path), load_discriminator(path)
        assert (g.mapping.rate, g.activation_clamp, d.group, d.activation_clamp) == (0.1, 256.0, None, 256.0)

    @pytest.mark.parametrize(
        "attributes",
        [
            {"": {"c_dim": [0]}},
            {"": {"c_dim": "none"}},
            {"": {"architecture": ["skip"]}},
            {"mapping.fc0": {"bias_gain": "slow"}},
            {"mapping.fc0": {"bias_gain": [0.01]}},
            {"mapping.fc0": {"activation": {"lrelu": 1}}},
            {"synthesis.b4.conv1": {"conv_clamp": "256"}, "synthesis.b8.conv1": {"conv_clamp": [256]}},
            {"synthesis.b4.conv1": {"conv_clamp": "none"}},
        ],
    )
    def test_attributes_of_other_kinds_are_refused_in_one_line(self, write, attributes):
        path = write(g_attributes=attributes)
        with pytest.raises(AssetError) as caught:
            load_generator(path)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 600 + len(str(path))

    @pytest.mark.parametrize("value", ["text", [1, 2], {"a": 1}, torch.zeros(0, 3), torch.zeros(3).to(torch.complex64)])
    @pytest.mark.parametrize(
        "name", ["mapping.w_avg", "synthesis.b4.conv1.noise_const", "synthesis.b8.resample_filter"]
    )
    def test_tensors_of_other_kinds_are_refused_in_one_line(self, write, name, value):
        path = write(g_change=lambda g: g.update({name: value}))
        with pytest.raises(AssetError) as caught:
            load_generator(path)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 600 + len(str(path))

    def test_a_network_of_terabytes_is_refused_before_it_is_built(self, write):
        """Shapes of two small tensors can ask for a huge third one."""

        def change(g):
            g["synthesis.b4.conv1.weight"] = torch.zeros(10**6, 1, 1, 1)
            g["synthesis.b8.conv1.weight"] = torch.zeros(10**6, 1, 1, 1)

        with pytest.raises(AssetError, match=r"must have shape \(1000000, .*the tensors of this .* do not fit"):
            load_generator(write(g_change=change))

    def test_networks_without_noise(self, write):
        def change(g):
            for name in [n for n in g if "noise" in n]:
                del g[name]

        g = load_generator(write(g_change=change))
        assert all(float(layer.noise_strength) == 0 for layer in g.synthesis.styled)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (dict(g_attributes={"": {"c_dim": 10}}), r"conditional networks.*c_dim = 10"),
            (dict(g_attributes={"synthesis.b8": {"architecture": "resnet"}}), r"synthesis.b8: architecture = 'resnet'"),
            (dict(g_attributes={"mapping.fc0": {"activation": "relu"}}), r"activation = 'relu' is not supported"),
            (dict(g_change=lambda g: g.pop("synthesis.b8.conv0.bias")), r"missing synthesis.b8.conv0.bias"),
            (dict(g_change=lambda g: g.update({"mapping.embed.weight": torch.ones(2, 2)})), r"mapping.embed.weight do"),
            (dict(g_change=lambda g: g.update({"synthesis.input.freqs": torch.ones(2)})), r"StyleGAN3 network"),
            (
                dict(g_change=lambda g: g.update({"synthesis.b8.torgb.weight": torch.ones(4, 20, 1, 1)})),
                r"synthesis.b8.torgb.weight must have shape \(3, 20, 1, 1\), found \(4, 20, 1, 1\)",
            ),
            (dict(keys=("D",)), r"no 'G_ema'; it holds \['D'"),
            (dict(keys=(), x=1), r"expected NVIDIA's.*found a dict with"),
            (dict(keys=("D",), G_ema=3), r"expected a stored PyTorch module.*found int"),
        ],
    )
    def test_wrong_files(self, write, arguments, message):
        with pytest.raises(AssetError, match=message):
            load_generator(write(**arguments))

    def test_wrong_discriminator(self, write):
        with pytest.raises(AssetError, match="2 minibatch-deviation channels"):
            load_discriminator(write(d_attributes={"b4.mbstd": {"group_size": 4, "num_channels": 2}}))


def tensorflow_variables(layouts):
    """The values of the rosinality checkpoint as the TensorFlow releases store them."""
    data = layouts.checkpoint(SIZE)
    g, d = data["g_ema"], data["d"]

    def conv(weight, up=False):
        weight = weight.flip(-1, -2) if up else weight
        return weight.reshape(weight.shape[-4:]).permute(2, 3, 1, 0).numpy()

    mapping, synthesis = [], [("lod", np.float32(0))]
    for k in range(layouts.depth):
        mapping.append((f"Dense{k}/weight", g[f"style.{k + 1}.weight"].T.numpy()))
        mapping.append((f"Dense{k}/bias", g[f"style.{k + 1}.bias"].numpy()))
    synthesis.append(("4x4/Const/const", g["input.input"].numpy()))
    for k, name in enumerate(("4x4/Conv", "8x8/Conv0_up", "8x8/Conv1", "16x16/Conv0_up", "16x16/Conv1")):
        theirs = "conv1" if k == 0 else f"convs.{k - 1}"
        synthesis += [
            (f"noise{k}", g[f"noises.noise_{k}"].numpy()),
            (f"{name}/weight", conv(g[f"{theirs}.conv.weight"], up=k % 2 == 1)),
            (f"{name}/mod_weight", g[f"{theirs}.conv.modulation.weight"].T.numpy()),
            (f"{name}/mod_bias", g[f"{theirs}.conv.modulation.bias"].numpy() - 1),
            (f"{name}/noise_strength", np.float32(g[f"{theirs}.noise.weight"].item())),
            (f"{name}/bias", g[f"{theirs}.activate.bias"].numpy()),
        ]
    for k, r in enumerate((4, 8, 16)):
        theirs = "to_rgb1" if k == 0 else f"to_rgbs.{k - 1}"
        synthesis += [
            (f"{r}x{r}/ToRGB/weight", conv(g[f"{theirs}.conv.weight"])),
            (f"{r}x{r}/ToRGB/mod_weight", g[f"{theirs}.conv.modulation.weight"].T.numpy()),
            (f"{r}x{r}/ToRGB/mod_bias", g[f"{theirs}.conv.modulation.bias"].numpy() - 1),
            (f"{r}x{r}/ToRGB/bias", g[f"{theirs}.bias"].flatten().numpy()),
        ]
    critic = [
        ("lod", np.float32(0)),
        ("16x16/FromRGB/weight", conv(d["convs.0.0.weight"])),
        ("16x16/FromRGB/bias", d["convs.0.1.bias"].numpy()),
    ]
    for k, r in ((1, 16), (2, 8)):
        critic += [
            (f"{r}x{r}/Conv0/weight", conv(d[f"convs.{k}.conv1.0.weight"])),
            (f"{r}x{r}/Conv0/bias", d[f"convs.{k}.conv1.1.bias"].numpy()),
            (f"{r}x{r}/Conv1_down/weight", conv(d[f"convs.{k}.conv2.1.weight"])),
            (f"{r}x{r}/Conv1_down/bias", d[f"convs.{k}.conv2.2.bias"].numpy()),
            (f"{r}x{r}/Skip/weight", conv(d[f"convs.{k}.skip.1.weight"])),
        ]
    critic += [
        ("4x4/Conv/weight", conv(d["final_conv.0.weight"])),
        ("4x4/Conv/bias", d["final_conv.1.bias"].numpy()),
        ("4x4/Dense0/weight", d["final_linear.0.weight"].T.numpy()),
        ("4x4/Dense0/bias", d["final_linear.0.bias"].numpy()),
        ("Output/weight", d["final_linear.1.weight"].T.numpy()),
        ("Output/bias", d["final_linear.1.bias"].numpy()),
    ]
    return [("lod", np.float32(0)), ("dlatent_avg", data["latent_avg"].numpy())], mapping, synthesis, critic


class TestNvidiaTensorFlow:
    @pytest.fixture
    def write(self, packages, layouts, tmp_path):
        class Network:
            def __init__(self, variables, static=None, components=None, builder="G_main"):
                self.contents = dict(
                    version=4,
                    name="net",
                    static_kwargs=static or {},
                    components=components or {},
                    build_module_src="raise SystemExit('foreign code was run')",
                    build_func_name=builder,
                    variables=variables,
                )

            def __getstate__(self):
                return self.contents

        def write(static=None, critic_static=None, builder="D_stylegan2", change=None, wrap=tuple, protocol=3):
            packages.add("dnnlib.tflib.network", Network=Network)
            main, mapping, synthesis, critic = tensorflow_variables(layouts)
            if change:
                change(synthesis)
            parts = {"mapping": Network(mapping), "synthesis": Network(synthesis)}
            g = Network(main, {"truncation_psi": None, "resolution": SIZE, **(static or {})}, parts)
            d = Network(critic, critic_static, builder=builder)
            path = tmp_path / "tensorflow.pkl"
            packages.dump(wrap((g, d, g)), path, protocol=protocol)
            return path

        return write

    @pytest.mark.parametrize("protocol", [2, 3, 5])
    def test_is_the_same_network_as_in_the_other_layout(self, write, rosinality_file, protocol):
        path, other = write(protocol=protocol), rosinality_file()
        same_networks(load_generator(path), load_generator(other))
        same_networks(load_discriminator(path), load_discriminator(other))

    def test_settings_that_shapes_do_not_tell(self, write):
        path = write(static={"mapping_lrmul": 0.02, "conv_clamp": 256}, builder="D_main")
        g, d = load_generator(path), load_discriminator(path)
        assert (g.mapping.rate, g.activation_clamp, d.group) == (0.02, 256.0, None)
        assert load_discriminator(write(critic_static={"mbstd_group_size": 8})).group == 8

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (dict(static={"architecture": "orig"}), "architecture = 'orig' is not supported, expected 'skip'"),
            (dict(static={"label_size": 10}), "label_size = 10"),
            (dict(static={"resample_kernel": [1, 1]}), r"resample_kernel = \[1, 1\]"),
            (dict(change=lambda v: v.pop(1)), "missing synthesis/4x4/Const/const"),
            (dict(change=lambda v: v.clear()), "no resolution blocks"),
            (dict(wrap=lambda nets: nets[:2]), "found a tuple"),
        ],
    )
    def test_wrong_files(self, write, arguments, message):
        with pytest.raises(AssetError, match=message):
            load_generator(write(**arguments))

    def test_wrong_discriminator(self, write):
        with pytest.raises(AssetError, match="mbstd_num_features = 2"):
            load_discriminator(write(critic_static={"mbstd_num_features": 2}))
