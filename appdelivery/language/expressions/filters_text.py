"""Filters and methods that make or read text, and numbers in text; null is refused.  Tables: `filters`."""

from __future__ import annotations

from appdelivery.language import budget
from appdelivery.language.expressions import inputs, operators
from appdelivery.language.problems import RenderError
from appdelivery.model import names, quantity
from appdelivery.model.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.budget import Budget


def lower(b: Budget, value: Any) -> str:
    return inputs.texted(b, "lower", value).lower()


def upper(b: Budget, value: Any) -> str:
    return inputs.texted(b, "upper", value).upper()


def trim(b: Budget, value: Any) -> str:
    return inputs.texted(b, "trim", value).strip()


def replace(b: Budget, value: Any, old: Any, new: Any) -> str:
    given, old, new = inputs.texted(b, "replace", value), inputs.texted(b, "replace", old), inputs.texted(b, "replace", new)
    if not old:
        raise RenderError("render.type", "'replace' needs a text to look for, not ''")
    budget.spend_text(b, len(given) + given.count(old) * max(len(new) - len(old), 0))
    return given.replace(old, new)


def split(b: Budget, value: Any, sep: Any) -> list[Any]:
    given, sep = inputs.texted(b, "split", value), inputs.texted(b, "split", sep)
    if not sep:
        raise RenderError("render.type", "'split' needs a text to split at, not ''")
    budget.spend(b, inputs.fits(given.count(sep) + 1))
    return given.split(sep)


def indent(b: Budget, value: Any, n: Any, first: Any = False) -> str:
    given = inputs.texted(b, "indent", value)
    blanks = " " * inputs.whole("indent", n, 0, 1000)
    lines = given.split("\n")
    budget.spend_text(b, len(given) + len(lines) * len(blanks))
    out = [blanks + one if one and (index or first) else one for index, one in enumerate(lines)]
    return "\n".join(out)


def integer(_: Budget, value: Any) -> int:
    if type(value) is str:
        clean = value.strip()
        digits = clean[1:] if clean[:1] in ("-", "+") else clean
        if len(clean) <= 20 and digits.isascii() and digits.isdigit():
            return operators.checked(int(clean))  # type: ignore[no-any-return]
        raise RenderError("render.type", f"'{_shown(value)}' is not an integer")
    if not operators.number(value):
        raise inputs.wrong("int", "a number or a text with a number", value)
    return operators.checked(int(value))  # type: ignore[no-any-return]


def decimal(_: Budget, value: Any) -> float:
    if type(value) is str:
        try:
            if len(value) <= 40 and "_" not in value:
                return operators.checked(float(value))  # type: ignore[no-any-return]
        except ValueError:
            pass
        raise RenderError("render.type", f"'{_shown(value)}' is not a number")
    if not operators.number(value):
        raise inputs.wrong("float", "a number or a text with a number", value)
    return float(value)


def _shown(value: str) -> str:
    return value if len(value) <= 40 else value[:37] + "..."


def string(b: Budget, value: Any) -> str:
    return operators.text(b, value)


def tojson(b: Budget, value: Any) -> str:
    import json

    budget.spend_text(b, _measure(b, "tojson", value))
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def toyaml(b: Budget, value: Any) -> str:
    from appdelivery.language.text import yaml_out

    budget.spend_text(b, _measure(b, "toyaml", value) * 2)
    return yaml_out.dump(value).removeprefix("---\n")


def _measure(b: Budget, name: str, value: Any) -> int:
    """About the length of a value as text, and whether it can be text; charges every node, for sub-trees are shared."""
    kind = type(value)
    if kind is str:
        return len(value) + 2
    if kind is dict:
        budget.spend(b, len(value))
        return sum([len(key) + 4 + _measure(b, name, one) for key, one in value.items()]) + 2
    if kind is list:
        budget.spend(b, len(value))
        return sum([1 + _measure(b, name, one) for one in value]) + 2
    if kind is Secret:
        raise RenderError("render.text", f"'{name}' would write a secret value into a text")
    return 8


def b64encode(b: Budget, value: Any) -> Any:
    if type(value) is Secret:
        return value.as_base64()
    import base64

    given = inputs.texted(b, "b64encode", value).encode()
    budget.spend_text(b, len(given) * 4 // 3 + 4)
    return base64.b64encode(given).decode()


def b64decode(b: Budget, value: Any) -> str:
    import base64

    try:
        return base64.b64decode(inputs.texted(b, "b64decode", value), validate=True).decode()
    except ValueError:
        raise RenderError("render.type", f"'{_shown(value)}' is not base64 of UTF-8 text") from None


def sha256(b: Budget, value: Any) -> str:
    import hashlib

    return hashlib.sha256(inputs.texted(b, "sha256", value).encode()).hexdigest()


def dnsname(b: Budget, value: Any, n: Any = 63) -> str:
    return names.dnsname(inputs.texted(b, "dnsname", value), inputs.whole("dnsname", n, 1, 253))


def quantity_number(_: Budget, value: Any) -> Any:
    try:
        return operators.checked(quantity.number(value))
    except ValueError as wrong:
        raise RenderError("render.type", str(wrong)) from None
    except ArithmeticError:  # an exponent beyond what decimals can compute with
        raise RenderError("render.type", f"'{_shown(str(value))}' is larger than any quantity Kubernetes knows") from None


def _amount(name: str, value: Any) -> Any:
    if not operators.number(value):
        raise inputs.wrong(name, "a number", value)
    return operators.checked(value)


def cpu(_: Budget, value: Any) -> str:
    return quantity.cpu(_amount("cpu", value))


def memory(_: Budget, value: Any) -> str:
    return quantity.memory(_amount("bytes", value))


def strip(b: Budget, value: Any, characters: Any = None) -> str:
    given = inputs.texted(b, "strip", value)
    return given.strip() if characters is None else given.strip(inputs.texted(b, "strip", characters))


def startswith(b: Budget, value: Any, start: Any) -> bool:
    return inputs.texted(b, "startswith", value).startswith(inputs.texted(b, "startswith", start))


def endswith(b: Budget, value: Any, end: Any) -> bool:
    return inputs.texted(b, "endswith", value).endswith(inputs.texted(b, "endswith", end))


def get_key(_: Budget, value: Any, key: Any, default: Any = None) -> Any:
    if type(value) is not dict:
        raise (
            RenderError("render.null", "a null value is used as a map")
            if value is None
            else inputs.wrong(".get()", "a map", value)
        )
    return value.get(key, default) if type(key) is str else default
