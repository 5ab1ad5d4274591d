"""Several processes, on GPUs or on CPUs.

MMEngine always calls ``torch.cuda.set_device``, and its DDP wrapper ignores ``train_step``; its "separate" wrapper
changes the keys of the state dict. Here one wrapper broadcasts the weights once, and the optimiser wrapper
(:mod:`.optim`) averages the gradients: keys stay clean, any number of optimisers works.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from faceuv.errors import FaceUVError, InputError
from faceuv.registry import MODEL_WRAPPERS

LAUNCHERS = ("none", "pytorch", "slurm", "mpi")
DEFAULT_PORT = "29500"

# where each launcher says who a process is: rank, number of processes, rank on this machine
_VARIABLES = {
    "pytorch": ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    "mpi": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
}


def start_processes(launcher: str, timeout_minutes: float = 30) -> None:
    """Join the process group that ``launcher`` made: NCCL with a GPU per process, else gloo. Does nothing for "none".

    The runner finds the group and starts none of its own.
    """
    if launcher not in LAUNCHERS:
        raise InputError(f"unknown launcher {launcher!r}; choose one of {', '.join(LAUNCHERS)}")
    if launcher == "none" or dist.is_initialized():
        return
    _set_environment(launcher)
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        local_rank, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local_rank >= gpus:
            raise InputError(
                f"process {local_rank} of this machine has no GPU ({gpus} here): start at most {gpus} processes"
            )
        torch.cuda.set_device(local_rank)
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=timedelta(minutes=timeout_minutes))


def peer_is_lost(error: RuntimeError) -> bool:
    """Whether a collective failed because another process has ended (gloo has no error type of its own)."""
    return dist.is_initialized() and (isinstance(error, dist.DistError) or "gloo/transport" in str(error))


def stop_processes() -> None:
    """Leave the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _set_environment(launcher: str) -> None:
    """Give torch the variables it reads, whatever the launcher calls them."""
    names = _VARIABLES[launcher]
    missing = [name for name in names if name not in os.environ]
    if missing:
        how = {"pytorch": "torchrun --nproc_per_node N", "slurm": "srun", "mpi": "mpirun"}[launcher]
        raise InputError(
            f"--launcher {launcher} needs {', '.join(missing)} in the environment: start with {how}, or leave it out"
        )
    for target, source in zip(_VARIABLES["pytorch"], names):
        os.environ[target] = os.environ[source]
    os.environ.setdefault("MASTER_PORT", DEFAULT_PORT)
    if "MASTER_ADDR" not in os.environ:
        os.environ["MASTER_ADDR"] = _first_slurm_host() if launcher == "slurm" else "127.0.0.1"


def _first_slurm_host() -> str:
    nodes = os.environ.get("SLURM_NODELIST", "")
    try:
        hosts = subprocess.run(
            ["scontrol", "show", "hostnames", nodes], capture_output=True, text=True, check=True
        ).stdout.split()
    except (OSError, subprocess.CalledProcessError) as error:
        raise FaceUVError(f"cannot tell the first host of {nodes!r} ({error}); set MASTER_ADDR") from error
    return hosts[0]


@MODEL_WRAPPERS.register_module()
class Replicated(nn.Module):
    """The same model on every rank: weights broadcast from rank 0 once, then kept equal by averaged gradients."""

    module: Any

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        if dist.is_initialized():
            for tensor in [*module.parameters(), *module.buffers()]:
                dist.broadcast(tensor.detach(), src=0)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As the model."""
        return self.module(*args, **kwargs)

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """As the model; its optimisers average the gradients."""
        return self.module.train_step(data, optim_wrapper=optim_wrapper)

    def val_step(self, data: Any) -> Any:
        """As the model."""
        return self.module.val_step(data)

    def test_step(self, data: Any) -> Any:
        """As the model."""
        return self.module.test_step(data)


def unwrapped(model: nn.Module) -> Any:
    """The method itself, whether or not it is replicated."""
    return model.module if is_model_wrapper(model) else model


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Average ``.grad`` over all ranks, in one message per dtype.

    A parameter with a gradient on some ranks only counts as zero on the others, and stays without one where no rank
    has it, as a single process with the whole batch would do.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    world_size = dist.get_world_size() if dist.is_initialized() else 1
    if world_size == 1 or not trained:
        return
    for dtype in dict.fromkeys(parameter.dtype for parameter in trained):
        group = [parameter for parameter in trained if parameter.dtype == dtype]
        present = [float(parameter.grad is not None) for parameter in group]
        pieces = [torch.zeros_like(p) if p.grad is None else p.grad for p in group]
        flags = torch.tensor(present, dtype=dtype, device=group[0].device)
        flat = torch.cat([*(piece.reshape(-1) for piece in pieces), flags])
        dist.all_reduce(flat)
        flat /= world_size
        has_gradient = (flat[-len(group) :] > 0).tolist()
        start = 0
        for parameter, somewhere in zip(group, has_gradient):
            size = parameter.numel()
            if somewhere:
                average = flat[start : start + size].view_as(parameter)
                if parameter.grad is None:
                    parameter.grad = average.clone()
                else:
                    parameter.grad.copy_(average)
            start += size
