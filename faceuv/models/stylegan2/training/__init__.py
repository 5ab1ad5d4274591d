"""How a StyleGAN2 is trained: on pairs of latents and images, and adversarially."""

from faceuv.models.stylegan2.training.adversarial import StyleGAN2
from faceuv.models.stylegan2.training.feature_discriminator import FeatureDiscriminator
from faceuv.models.stylegan2.training.paired import PairedGenerator

__all__ = ["FeatureDiscriminator", "PairedGenerator", "StyleGAN2"]
