"""Sums the JUnit files of a run into the one closing line; names why tests were skipped."""

from __future__ import annotations

import glob
import sys
import xml.etree.ElementTree as ET
from collections import Counter


def main(folder: str, failed_steps: int) -> int:
    passed = failed = skipped = 0
    reasons: Counter[str] = Counter()
    for path in sorted(glob.glob(f"{folder}/*.xml")):
        for case in ET.parse(path).iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
            elif (skip := case.find("skipped")) is not None:
                skipped += 1
                reasons[skip.get("message", "")] += 1
            else:
                passed += 1
    for reason, count in reasons.most_common():
        print(f"skipped {count}: {reason}")
    if failed_steps and not failed:
        failed = 1  # a step that is no test failed: the line must not look green
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
