"""The regression gate: accepted numbers, what a model is held to, and the judgement."""
