"""LiftedGAN for another symmetric kind of object: a teacher of cat heads at 256², with the release's settings for it
(``config/cats_256.py``): no identity term, half the albedo term, a fifth of the prior.
"""

from mmengine.config import read_base

with read_base():
    from .liftedgan_ffhq_release import *

lift["model"]["losses"].update(identity=None)
lift["model"]["losses"]["prior"]["weight"] = 0.1
lift["model"]["losses"]["albedo"]["weight"] = 0.005
