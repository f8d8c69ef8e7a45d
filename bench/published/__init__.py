"""Published numbers: from the papers' tables and figures, RobustBench and timm; and their comparability with ours."""
