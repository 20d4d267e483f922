"""Formulas of published tables: ``floor((p+4)/3)``, ``p+2``, ``1.5p``, ``M/3``.

Only arithmetic, ``floor``, ``ceil``, ``min``, ``max`` and the letters that are given; nothing is evaluated by Python.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from stretto.spec.errors import bad_value

_OPERATORS: Final[Mapping[type[ast.operator], Callable[[float, float], float]]] = MappingProxyType(
    {ast.Add: float.__add__, ast.Sub: float.__sub__, ast.Mult: float.__mul__, ast.Div: float.__truediv__}
)
_FUNCTIONS: Final[Mapping[str, Callable[..., float]]] = MappingProxyType(
    {"floor": math.floor, "ceil": math.ceil, "min": min, "max": max}
)


def evaluate(text: str, values: Mapping[str, float]) -> float:
    """What a formula gives where its letters have these values.

    Raises:
        UserError: it is no such formula, or divides by zero.
    """
    wrong = bad_value("the formula", text, f"arithmetic over {', '.join(sorted(values))}")
    spelled = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)(?=[A-Za-z(])", r"\1*", text)
    try:
        result = _value(ast.parse(spelled, mode="eval").body, values)
    except (SyntaxError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError, MemoryError):
        raise wrong from None
    if not math.isfinite(result):
        raise wrong
    return result


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return float(number)
        case ast.Name(id=letter):
            return float(values[letter])
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, values)
        case ast.BinOp(left=left, op=symbol, right=right):
            return _OPERATORS[type(symbol)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
            return float(_FUNCTIONS[function](*(_value(argument, values) for argument in arguments)))
        case _:
            raise ValueError(ast.dump(node))
