"""Datasets of codes and images, augmentation and perturbations."""
