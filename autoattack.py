"""AutoAttack by the name under which robustbench 1.1.1 imports it: PyPI serves it as pyautoattack only.

A package `autoattack` installed beside this module takes precedence over it.
"""

import pyautoattack
from pyautoattack import AutoAttack

__all__ = ["AutoAttack"]
__path__ = pyautoattack.__path__
