"""Files made from code: the command reference and the JSON Schemas in api/.  --check fails when one is stale."""

from __future__ import annotations

import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
APPCTL = os.path.join(os.path.dirname(sys.executable), "appctl")


def made() -> dict[str, str]:
    return {
        "api/definition.schema.json": compact(appctl("schema", "definition")),
        "api/application.schema.json": compact(appctl("schema", "application")),
        "docs/reference/cli.md": reference(),
    }


def compact(text: str) -> str:
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")) + "\n"


def reference() -> str:
    from appdelivery.cli import commands

    parts = ["# The command line\n\nMade from the commands' own help by `make fix`.\n"]
    for group, names in commands.GROUPS.items():
        parts.append(f"\n## {group}\n")
        parts += [f"\n### appctl {name}\n\n```text\n{appctl(name, '--help')}```\n" for name in names]
    return "".join(parts)


def appctl(*words: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "COLUMNS": "100", "LANG": "C.UTF-8"}
    done = subprocess.run([APPCTL, *words], capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise SystemExit(f"appctl {' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def main() -> int:
    stale = []
    for path, text in made().items():
        full = f"{ROOT}/{path}"
        if os.path.exists(full) and open(full, encoding="utf-8").read() == text:
            continue
        stale.append(path)
        if "--check" not in sys.argv:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
    if stale and "--check" in sys.argv:
        print(f"stale: {', '.join(stale)}; run make fix")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
