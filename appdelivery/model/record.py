"""`record`: frozen, slotted, comparable, printable classes without importing dataclasses.

The standard dataclasses module drags `inspect` in, which costs more than a whole render.  For the type
checker `record` is dataclass(frozen=True, slots=True); at run time it is this.  Differences: no field(),
no inheritance between records, and `changed(value, name=...)` instead of dataclasses.replace.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")

    @dataclass_transform(frozen_default=True)
    def record(cls: type[T]) -> type[T]: ...

else:
    HOT = 100  # constructions after which a class gets an __init__ of its own: compiling one costs as much as they save

    def record(cls):
        names = tuple(cls.__dict__.get("__annotations__", ()))
        defaults = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
        body = {k: v for k, v in cls.__dict__.items() if k not in defaults and k not in ("__dict__", "__weakref__")}
        body["__slots__"] = names
        body["__match_args__"] = names
        check = body.get("__post_init__")

        made = 0

        def __init__(self, *given, **named):
            nonlocal made
            made += 1
            if made == HOT and "__init__" not in cls.__dict__:
                _specialise(type(self), names, defaults, check)
            if len(given) > len(names):
                raise TypeError(f"{cls.__name__} takes {len(names)} values, got {len(given)}")
            for name, value in zip(names, given, strict=False):
                store(self, name, value)
            for name in names[len(given) :]:
                if name in named:
                    store(self, name, named.pop(name))
                elif name in defaults:
                    store(self, name, defaults[name])
                else:
                    raise TypeError(f"{cls.__name__} needs {name}")
            if named:
                raise TypeError(f"{cls.__name__} has no {', '.join(named)}")
            if check is not None:
                check(self)

        body.setdefault("__init__", __init__)
        body.setdefault("__eq__", _equal)
        body.setdefault("__hash__", _hash)
        body.setdefault("__repr__", _print)
        body["__setattr__"] = body["__delattr__"] = _frozen
        body["__getstate__"], body["__setstate__"] = _state, _restore
        return type(cls)(cls.__name__, cls.__bases__, body)

    def _specialise(cls, names, defaults, check):
        """The same __init__ without loops and without the guard, which would be two thirds of its time.

        That records are frozen is the type checker's to prove; the guard is there for what it cannot see, and whoever
        writes to a record has met it in the first hundred.
        """
        space = {f"_or_{n}": v for n, v in defaults.items()}
        given = ", ".join([f"{n}=_or_{n}" if n in defaults else n for n in names])
        body = "".join([f"\n    self.{n} = {n}" for n in names])
        ending = "\n    _check(self)" if check is not None else ""
        exec(f"def __init__(self, {given}):{body}{ending}\n", space | {"_check": check}, space)
        del cls.__setattr__, cls.__delattr__
        cls.__init__ = space["__init__"]

    store = object.__setattr__

    def _values(self):
        return tuple([getattr(self, name) for name in self.__slots__])

    def _equal(self, other):
        return _values(self) == _values(other) if type(other) is type(self) else NotImplemented

    def _hash(self):
        return hash(_values(self))

    def _print(self):
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self.__slots__)})"

    def _frozen(self, *_):
        raise AttributeError(f"{type(self).__name__} is frozen; use changed()")

    def _state(self):
        return _values(self)

    def _restore(self, state):
        for name, value in zip(self.__slots__, state, strict=True):
            store(self, name, value)


def changed(value: T, **fields: Any) -> T:
    """A copy of a record with some fields replaced."""
    names: tuple[str, ...] = type(value).__slots__  # type: ignore[attr-defined]
    return type(value)(**{name: getattr(value, name) for name in names} | fields)
