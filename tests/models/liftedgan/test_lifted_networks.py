"""The networks, their published sizes, and the reader of the authors' checkpoints."""

import itertools

import pytest
import torch

from faceuv.errors import AssetError, InputError
from faceuv.files.networks import load_network, save_network
from faceuv.models.liftedgan import LiftingNetworks, load_networks

SMALL = dict(size=32, num_layers=8, code_dim=16, features=8)


def small(**options):
    torch.manual_seed(0)
    return LiftingNetworks(**SMALL, **options)


class TestSizes:
    def test_the_published_ones_at_256(self):
        with torch.device("meta"):
            state = LiftingNetworks(256, 14, 512, 64, transformation_width=16).state_dict()
        shapes = {name: tuple(value.shape) for name, value in state.items()}
        table = {  # table 3, row by row, then table 4's first
            "shape.mlp.6.weight": (512, 512),
            "shape.network.0.weight": (512, 512, 4, 4),
            "shape.network.2.weight": (512, 512, 3, 3),
            "shape.network.4.weight": (512, 256, 4, 4),
            "shape.network.7.weight": (256, 256, 3, 3),
            "shape.network.10.weight": (256, 128, 4, 4),
            "shape.network.16.weight": (128, 64, 4, 4),
            "shape.network.22.weight": (64, 32, 4, 4),
            "shape.network.28.weight": (32, 16, 4, 4),
            "shape.network.31.weight": (16, 16, 3, 3),
            "shape.inject.weight": (16, 64, 1, 1),
            "shape.head.0.weight": (16, 16, 3, 3),
            "shape.head.3.weight": (16, 16, 5, 5),
            "shape.head.6.weight": (1, 16, 5, 5),
            "transformation.mlp.0.weight": (16, 512),
            "transformation.network.0.weight": (16, 512, 4, 4),
            "transformation.network.21.weight": (1, 16, 5, 5),
            "light.mlp.6.weight": (4, 512),
            "view.mlp.6.weight": (6, 512),
            "composer.embed_view.mlp.0.weight": (512, 6),
        }
        assert {name: shapes.get(name) for name in table} == table
        assert LiftingNetworks(16, 6, 16, 0).options["transformation_width"] == 16  # the paper's: D

    def test_group_norms_have_groups_of_four(self):
        groups = [(m.num_groups, m.num_channels) for m in small().modules() if isinstance(m, torch.nn.GroupNorm)]
        assert groups and all(4 * count == channels for count, channels in groups)

    @pytest.mark.parametrize("options", [dict(size=24), dict(size=8), dict(code_dim=18)])
    def test_sizes_that_cannot_be(self, options):
        with pytest.raises(InputError, match="LiftedGAN"):
            LiftingNetworks(**{**SMALL, **options})


class TestForward:
    def test_shapes_and_ranges(self):
        networks, w = small(), torch.randn(3, 16, generator=torch.Generator().manual_seed(1))
        light, view = networks.decompose(w)
        assert light.shape == (3, 4) and view.shape == (3, 6) and light.abs().max() < 1 and view.abs().max() < 1
        assert networks.compose(w, light, view).shape == (3, 16)
        assert networks.shape(w, torch.randn(3, 8, 32, 32)).shape == (3, 32, 32)
        assert networks.transformation(w).shape == (3, 32, 32)

    def test_light_and_view_that_do_not_fit(self):
        networks, w = small(), torch.randn(3, 16)
        for light, view in ((torch.zeros(3, 3), torch.zeros(3, 6)), (torch.zeros(3, 4), torch.zeros(2, 6))):
            with pytest.raises(InputError, match="must have shape"):
                networks.compose(w, light, view)
        with pytest.raises(InputError, match=r"\(B, 16\)"):
            networks.decompose(torch.randn(3, 8, 16))

    def test_a_centred_composer_begins_near_the_mean_code(self):
        w = torch.randn(4, 16, generator=torch.Generator().manual_seed(1))
        networks, mean = small(centred=True), torch.linspace(1, 2, 16)
        networks.composer.centre.copy_(mean)
        away = networks.compose(w, torch.zeros(4, 4), torch.zeros(4, 6)) - mean
        plain = small().compose(w, torch.zeros(4, 4), torch.zeros(4, 6))
        assert 0 < away.norm() < 0.2 * plain.norm()

    def test_a_dome_is_nearer_in_the_middle(self):
        w, features = torch.randn(1, 16), torch.randn(1, 8, 32, 32)
        networks, flat = small(dome=5.0), small()
        depth = networks.shape(w, features)[0]
        networks.shape.start.zero_()
        start = depth - networks.shape(w, features)[0]
        assert start[16, 16] < -4.9 and start[0, 0] == 0
        assert networks.shape(w, features).std() < 0.3 * flat.shape(w, features).std()  # quiet at first

    def test_files(self, tmp_path):
        networks = small(centred=True, dome=1.0)
        networks.composer.centre.fill_(0.3)
        path = save_network(tmp_path / "lifting.safetensors", networks)
        again = load_network(path, LiftingNetworks)
        assert again.settings() == networks.settings()
        w = torch.randn(2, 16)
        assert torch.equal(
            again.composer(w, torch.zeros(2, 4), torch.zeros(2, 6)),
            networks.compose(w, torch.zeros(2, 4), torch.zeros(2, 6)),
        )


def release_state(size=32, dim=16, features=8, width=12):
    """A checkpoint in the layout of the authors' release, with random numbers; names and shapes written by hand."""
    rng = torch.Generator().manual_seed(0)
    stages = size.bit_length() - 4

    def mlp(prefix, sizes, *, norm=False, scale=False):
        found, index = {}, 0
        for k, (before, after) in enumerate(itertools.pairwise(sizes)):
            found[f"{prefix}{index}.weight"], found[f"{prefix}{index}.bias"] = (after, before), (after,)
            if norm and k < len(sizes) - 2:
                found[f"{prefix}{index + 1}.weight"] = found[f"{prefix}{index + 1}.bias"] = (after,)
                index += 1
            index += 2
        if scale:
            found[f"{prefix}10.weight"] = found[f"{prefix}10.bias"] = (1, sizes[-1])
        return found

    five = [dim] * 5
    decompose = mlp("model_style.mlp.", five, norm=True)
    decompose |= mlp("model_light.mlp.", [*five[:4], 4]) | mlp("model_view.mlp.", [*five[:4], 6])
    compose = mlp("embed_style.mlp.", five, norm=True, scale=True) | mlp("model.mlp.", five, norm=True)
    compose |= mlp("embed_light.mlp.", [4, *five[1:]], norm=True, scale=True)
    compose |= mlp("embed_view.mlp.", [6, *five[1:]], norm=True, scale=True)
    c = 8 * size // 4
    depth = mlp("mlp.", five) | {"network.0.weight": (dim, c, 4, 4), "network.2.weight": (c, c, 3, 3)}
    move = mlp("mlp.", [dim, width, width, width, width]) | {"network.0.weight": (width, c, 4, 4)}
    for k in range(stages):
        at, half = 4 + 6 * k, c // 2
        depth |= {f"network.{at}.weight": (c, half, 4, 4), f"network.{at + 3}.weight": (half, half, 3, 3)}
        for norm in (at + 1, at + 4):
            depth |= {f"network.{norm}.weight": (half,), f"network.{norm}.bias": (half,)}
        at = 2 + 3 * k
        move |= {f"network.{at}.weight": (c, half, 4, 4)}
        move |= {f"network.{at + 1}.weight": (half,), f"network.{at + 1}.bias": (half,)}
        c = half
    depth |= {"inject.weight": (c, features, 1, 1), "head.0.weight": (c, c, 3, 3), "head.3.weight": (c, c, 5, 5)}
    for norm in ("head.1", "head.4"):
        depth |= {f"{norm}.weight": (c,), f"{norm}.bias": (c,)}
    depth |= {"head.6.weight": (1, c, 5, 5), "head.6.bias": (1,)}
    at = 3 + 3 * stages
    move |= {f"network.{at}.weight": (c, c, 3, 3), f"network.{at + 3}.weight": (1, c, 5, 5)}
    move |= {f"network.{at + 1}.weight": (c,), f"network.{at + 1}.bias": (c,)}
    shapes = {"netSD": decompose, "netSC": compose, "netD": depth, "netT": move}
    state = {net: {k: torch.randn(s, generator=rng) * 0.2 for k, s in part.items()} for net, part in shapes.items()}
    return {**state, "optimizer": {"state": {}, "param_groups": []}, "global_step": 7, "epoch": 1}


class TestRelease:
    def test_a_checkpoint_is_read_by_key(self, tmp_path):
        state = release_state()
        torch.save(state, tmp_path / "checkpoint_001.pth")
        networks = load_networks(tmp_path / "checkpoint_001.pth")
        assert networks.settings() == {
            "size": 32, "num_layers": 8, "code_dim": 16, "features": 8,
            "width": 16, "transformation_width": 12, "centred": False, "dome": 0.0,
        }  # fmt: skip
        assert torch.equal(networks.shape.head[6].weight, state["netD"]["head.6.weight"])

        w = torch.randn(2, 16, generator=torch.Generator().manual_seed(1))

        def answer(part):  # of the release's light and view heads
            x = w
            for index in (0, 2, 4, 6):
                x = (
                    x @ state["netSD"][f"model_{part}.mlp.{index}.weight"].T
                    + state["netSD"][f"model_{part}.mlp.{index}.bias"]
                )
                x = torch.nn.functional.leaky_relu(x, 0.2) if index < 6 else x.tanh()
            return x

        light, view = networks.decompose(w)
        # their y axis points down and their z axis away: rotations about y and z, translations along y and z turn round
        assert torch.allclose(view, answer("view") * torch.tensor([1.0, -1, -1, 1, -1, -1]), atol=1e-6)
        assert torch.allclose(light, answer("light") * torch.tensor([1.0, 1, -1, 1]), atol=1e-6)
        theirs = torch.tensor([[0.1, -0.2, 0.3, 0.4, -0.5, 0.6]])
        first = state["netSC"]["embed_view.mlp.0.weight"] @ theirs[0]
        ours = networks.composer.embed_view.mlp[0].weight @ (theirs * torch.tensor([1.0, -1, -1, 1, -1, -1]))[0]
        assert torch.allclose(first, ours, atol=1e-6)

    @pytest.mark.parametrize("harm", ["no net", "missing", "shape", "unknown", "not a file"])
    def test_files_that_are_something_else(self, tmp_path, harm):
        state, path = release_state(), tmp_path / "checkpoint.pth"
        if harm == "no net":
            del state["netT"]
        elif harm == "missing":
            del state["netD"]["head.3.weight"]
        elif harm == "shape":
            state["netD"]["head.3.weight"] = torch.zeros(16, 16, 3, 3)
        elif harm == "unknown":
            state["netSC"]["style_of_another.weight"] = torch.zeros(3)
        torch.save(state, path)
        if harm == "not a file":
            path.write_bytes(b"no checkpoint")
        with pytest.raises(AssetError) as error:
            load_networks(path)
        assert "release" in str(error.value) or "tensors more" in str(error.value)
        assert "\n" not in str(error.value)
