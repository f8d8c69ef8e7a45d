"""What the methods share: networks, named batch-norm branches, activations."""
