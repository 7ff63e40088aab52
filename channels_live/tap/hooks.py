"""Puts hooks in place of functions of the libraries, as soon as these are imported."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from channels_live.tap.wire import harmless, tell_gap

# module → dotted name → the hook, which gets the function and returns what takes its place
Hooks = Mapping[str, Mapping[str, Callable[[Any], Any]]]

_waiting: dict[str, list[Mapping[str, Callable[[Any], Any]]]] = {}


def install(hooks: Hooks) -> None:
    """Have functions replaced as soon as their module is imported.

    What a version of a library does not have is left out.
    """
    for name, functions in hooks.items():
        if name in sys.modules:
            _replace_all(sys.modules[name], functions)
        else:
            _waiting.setdefault(name, []).append(functions)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def before(tell: Any) -> Any:
    """Return a hook that calls `tell` with the arguments of a method before it runs."""

    def hook(method: Any) -> Any:
        def hooked(*args: Any, **kwargs: Any) -> Any:
            try:  # not by `harmless`: every frame passes here
                tell(*args, **kwargs)
            except Exception as error:
                tell_gap(tell.__qualname__, error)
            return method(*args, **kwargs)

        return hooked

    return hook


def after(tell: Any) -> Any:
    """Return a hook that calls `tell` with the arguments of a method once it has returned."""
    tell = harmless(tell)

    def hook(method: Any) -> Any:
        def hooked(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            tell(*args, **kwargs)
            return result

        return hooked

    return hook


class _Finder:
    """Lets the others find a module, and is called again once that one is loaded."""

    def __init__(self) -> None:
        self._asking: set[tuple[int, str]] = set()  # threads, and the modules that they look for

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in _waiting:
            return None
        asked = threading.get_ident(), name
        if asked in self._asking:  # another one asks the others too
            return None
        self._asking.add(asked)
        try:
            return self._find(name, path, target)
        finally:
            self._asking.discard(asked)

    def _find(self, name: str, path: Any, target: Any) -> Any:
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find else None
            if spec is not None:
                loader = spec.loader
                if hasattr(loader, "exec_module"):
                    self._follow(loader, name)
                return spec
        return None

    def _follow(self, loader: Any, name: str) -> None:
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            if loader.__dict__.get("exec_module") is exec_module:
                del loader.exec_module  # the loader is as it was
            execute(module)
            for functions in _waiting[name]:  # again if it is imported again
                _replace_all(module, functions)

        try:
            loader.exec_module = exec_module
        except AttributeError:
            pass  # one that takes none: this module tells nothing


_finder = _Finder()


def _replace_all(module: Any, functions: Mapping[str, Callable[[Any], Any]]) -> None:
    for name, hook in functions.items():
        *owners, last = name.split(".")
        owner = module
        try:
            for part in owners:
                owner = getattr(owner, part)
            if not hasattr(owner, last):
                continue
            # as it stands in its class; some methods are objects that bind themselves
            function = vars(owner)[last] if last in vars(owner) else getattr(owner, last)
            replacement = hook(function)
            if replacement is not function:
                functools.update_wrapper(replacement, function)
            setattr(owner, last, replacement)
        except Exception as error:
            tell_gap(f"{module.__name__}.{name}", error)
