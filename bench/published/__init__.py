"""What others measured: the papers' tables and figure points, RobustBench's, timm's, and what may stand beside what."""
