"""Findings as JUnit XML, for continuous-integration servers."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from bench.gate.judgement import BAD, GateFinding, Status

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 (section 2.2) does not allow."""


def to_junit(findings: Sequence[GateFinding]) -> bytes:
    """Return one test case per finding: regressions and altered weights are failures, unchecked ones are errors."""
    suite = ET.Element(
        "testsuite",
        {
            "name": "bench check",
            "tests": str(len(findings)),
            "failures": str(sum(finding.status in BAD for finding in findings)),
            "errors": str(sum(finding.status is Status.UNCHECKED for finding in findings)),
        },
    )
    for finding in findings:
        name = f"{finding.what} against {finding.against}"
        case = ET.SubElement(suite, "testcase", {"classname": _legal(finding.model), "name": _legal(name)})
        kind = "failure" if finding.status in BAD else "error" if finding.status is Status.UNCHECKED else "system-out"
        told = ET.SubElement(case, kind)
        if kind != "system-out":
            told.set("message", f"{finding.status}: {_legal(finding.evidence)}")
        told.text = f"{finding.status}: {_legal(finding.evidence)}"
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _legal(text: str) -> str:
    return _ILLEGAL.sub("�", text)
