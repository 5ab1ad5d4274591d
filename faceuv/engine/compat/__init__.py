"""Repairs of MMEngine 0.10: safe checkpoints, exact resume, runs without a GPU. One module per theme.

=============  ==============================================================================================
configs        inheritance from installed packages, ``custom_imports`` in every kind of config, misspelt keys
checkpoints    files that load without unpickling code, written atomically; corrupt ones are recognised
distributed    processes on CPU or GPU; one wrapper that broadcasts, gradients averaged by the optimiser wrapper
optim          mixed precision on any device; one optimiser per named sub-module
randomness     random states in checkpoints; validation that does not disturb them
sampling       a sampler that seeks and the training loop that makes use of it
=============  ==============================================================================================

Every workaround says which row of MMEngine's behaviour it answers, and has a test that fails without it.
"""
