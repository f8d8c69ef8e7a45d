"""`bench diagnose`: what the suites batchnorm, smoothness and margin found of a model, as figures and sentences."""
