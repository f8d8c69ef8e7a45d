"""Attacks: what is searched, by which steps, within which budget; and one queue that runs them all."""

ATTACKS = {
    "pgd": "projected gradient descent, judged at its final iterate (arXiv 1706.06083; the papers' protocol)",
    "pgdbest": "projected gradient descent, broken when any iterate is misclassified",
    "apgd-ce": "Auto-PGD on cross-entropy (arXiv 2003.01690)",
    "apgd-dlr": "Auto-PGD on the difference of logits ratio (arXiv 2003.01690)",
    "apgd-pm": "Auto-PGD on the probability margin (arXiv 2411.15210)",
    "apgd-t": "Auto-PGD on the targeted difference of logits ratio, nine targets (arXiv 2003.01690)",
    "fab-t": "targeted fast adaptive boundary attack, nine targets (arXiv 1907.02044)",
    "square": "Square Attack, 5,000 queries (arXiv 1912.00049)",
    "bim": "the basic iterative method: PGD from the image itself (arXiv 1607.02533; as in NoFrost's evaluation)",
    "mi-fgsm": "the momentum iterative method (arXiv 1710.06081; as in NoFrost's evaluation)",
    "mi-pgd": "the momentum iterative method from a random start (as in NoFrost's evaluation)",
    "cw-pgd": "PGD on Carlini and Wagner's loss, confidence 50 (arXiv 1608.04644; as in NoFrost's evaluation)",
    "transfer": "momentum, diverse inputs and smoothed gradients on other models (arXiv 1904.02884); a suite's alone",
    "autoattack": "the standard ensemble: apgd-ce, apgd-t, fab-t, square (arXiv 2003.01690; for L1 arXiv 2103.01208)",
    "aa-fast": "a cheaper ensemble of the same parts, under its own name",
}
"""Every attack by name, with what it is and its source."""


def list_attacks() -> list[str]:
    """Names of all attacks (`bench list attacks`)."""
    return list(ATTACKS)
