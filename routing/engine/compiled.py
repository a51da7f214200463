"""Compiling: numba with its cache on disk, typed so that mypy sees through it.

Numba's cache of a function is renewed when its own file changes, not when a function it calls in another file
does. So kernels that call each other live in one file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


# Kernels allocate nothing, so they need not count references: with dozens of arrays that took most of the time.
_HOW: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}


def kernel(function: Function) -> Function:
    """Compile `function` to machine code that runs without the interpreter's lock and allocates nothing.

    The code is kept on disk beside the module or in the user's cache; where neither can be written it is
    compiled anew in each process.
    """
    try:
        return cast(Function, numba.njit(cache=True, **_HOW)(function))
    except RuntimeError:  # nowhere to keep the code
        return cast(Function, numba.njit(**_HOW)(function))


def allocating(function: Function) -> Function:
    """Compile `function`, which makes arrays of its own, to code that runs without the interpreter's lock."""
    try:
        return cast(Function, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:
        return cast(Function, numba.njit(nogil=True)(function))


def inlined(function: Function) -> Function:
    """Compile `function` into the kernels of its file that call it."""
    return cast(Function, numba.njit(**_HOW)(function))
