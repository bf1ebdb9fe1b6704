"""Hydra launchers for clusters: Ray, and Slurm through submitit."""
