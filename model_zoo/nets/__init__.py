"""Networks, named batch-norm branches and activations shared by the methods."""
