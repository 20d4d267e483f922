"""Bubble rates of Qi et al. 2023, Zero Bubble, tables 5 and 8, with the profiled times of table 9 (milliseconds)."""

from typing import NamedTuple

from stretto.spec.costs import PassCosts


class Row(NamedTuple):
    """One setting: sizes, times of the passes and of a message, and the bubble rates under three schedules."""

    p: int
    m: int
    f: float
    i: float
    w: float
    c: float
    one_f_one_b: float
    h1: float
    h2: float


def published_costs(row):
    """The costs of a setting."""
    return PassCosts(forward=row.f, input_grad=row.i, weight_grad=row.w, transfer=row.c)


ZERO_BUBBLE = [
    Row(8, 24, 18.522, 18.086, 9.337, 0.601, 0.2431, 0.1585, 0.1083),
    Row(8, 32, 18.513, 18.086, 9.331, 0.626, 0.1985, 0.1242, 0.0837),
    Row(8, 64, 18.546, 18.097, 9.321, 0.762, 0.124, 0.0674, 0.0444),
    Row(16, 48, 11.347, 11.248, 8.132, 0.377, 0.2552, 0.1397, 0.0672),
    Row(16, 64, 11.307, 11.254, 8.101, 0.379, 0.2082, 0.1088, 0.0516),
    Row(16, 128, 11.325, 11.308, 8.109, 0.378, 0.1251, 0.0576, 0.0266),
    Row(24, 72, 13.526, 13.938, 10.502, 0.755, 0.2699, 0.1439, 0.0628),
    Row(24, 96, 13.566, 13.968, 10.518, 0.758, 0.2229, 0.1121, 0.048),
    Row(24, 192, 13.57, 13.98, 10.52, 0.77, 0.1403, 0.0595, 0.0247),
]
