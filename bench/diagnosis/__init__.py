"""`bench diagnose`: results of the suites batchnorm, smoothness and margin for one model, as figures and sentences."""
