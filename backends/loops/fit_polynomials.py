#!/usr/bin/env python3
"""Fits the polynomials of the float32 functions and writes backends/loops/polynomials.h.

    backends/loops/fit_polynomials.py        (a Python with numpy and mpmath; Debian: python3-numpy python3-mpmath)

Nothing is random: the same versions of the two libraries give the same file.

A polynomial is fitted so that the largest weighted error over its interval is as small as can be: weighted least squares on Chebyshev points, the weights
multiplied by the errors until these level out (Lawson's iteration). Coefficients are then rounded to float32 one after the other, from the constant up, the
rest being fitted again each time, so that later ones make good what rounding lost. The weight of a point is how much an error of the polynomial there
changes the function, in units in the last place of its float32 result (2^-23 relative; at least that, since results just above a power of two weigh most).
"""
import pathlib

import mpmath as mp
import numpy as np

mp.mp.dps = 50
POINTS = 600
TURNS = 200


def chebyshev_points(low, high, n):
    return [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (k + mp.mpf(1) / 2) / n) for k in range(n)]


def minimax(x, values, weights, degree, first):
    """Coefficients of x^first .. x^degree that level the weighted errors."""
    scale = np.max(np.abs(x))
    basis = np.stack([(x / scale) ** k for k in range(first, degree + 1)], axis=1)
    share = np.full(len(x), 1.0 / len(x))
    best, best_error = None, np.inf
    for _ in range(TURNS):
        rows = np.sqrt(share) * weights
        solution = np.linalg.lstsq(basis * rows[:, None], values * rows, rcond=None)[0]
        errors = np.abs(basis @ solution - values) * weights
        if errors.max() < best_error:
            best, best_error = solution, errors.max()
        share = share * errors
        share = share / share.sum()
    return best / scale ** np.arange(first, degree + 1)


def fit(function, weight, low, high, degree):
    """float32 coefficients, constant first, and the largest weighted error."""
    points = chebyshev_points(mp.mpf(low), mp.mpf(high), POINTS)
    x = np.array([float(p) for p in points])
    wanted = np.array([float(function(mp.mpf(p))) for p in x])
    weights = np.array([float(abs(weight(mp.mpf(p)))) for p in x])
    coefficients = []
    for k in range(degree + 1):
        rest = wanted - sum(c * x**i for i, c in enumerate(coefficients))
        coefficients.append(float(np.float32(minimax(x, rest, weights, degree, k)[0])))
    errors = np.abs(sum(c * x**i for i, c in enumerate(coefficients)) - wanted) * weights
    return coefficients, errors.max()


def ulps(derivative):
    """Weight: the part of the result's size that an error of one in the polynomial makes, in units of 2^-23."""
    return lambda x: derivative(x) * 2**23


def root(z):
    return mp.sqrt(z)


def tables():
    half_log2 = mp.log(2) / 2 * mp.mpf("1.002")
    quarter_pi = mp.pi / 4 * mp.mpf("1.01")
    tiny = mp.mpf("1e-6")
    sqrt2 = mp.sqrt(2)
    two_over_log2 = 2 / mp.log(2)

    def series_free(f):
        """f, evaluated beside 0 where it is the limit of 0/0."""
        return lambda x: f(x if abs(x) > mp.mpf("1e-12") else mp.mpf("1e-12"))

    yield ("exp", "(e^r - 1 - r) / r^2", "|r| <= log(2)/2, of e^r - 1", -half_log2, half_log2, 4,
           series_free(lambda r: (mp.expm1(r) - r) / r**2), ulps(series_free(lambda r: r**2 / mp.expm1(r))))
    yield ("exp2", "(2^r - 1) / r", "|r| <= 1/2, of 2^r", mp.mpf(-0.501), mp.mpf(0.501), 5,
           series_free(lambda r: (mp.mpf(2) ** r - 1) / r), ulps(lambda r: r / mp.mpf(2) ** r))
    yield ("log", "(log(1+f) - f + f^2/2) / f^3", "sqrt(1/2) <= 1+f <= sqrt(2), of log(1+f)", 1 / sqrt2 - 1, sqrt2 - 1, 7,
           series_free(lambda f: (mp.log1p(f) - f + f**2 / 2) / f**3), ulps(series_free(lambda f: f**3 / mp.log1p(f))))
    q = (sqrt2 - 1) / (sqrt2 + 1)
    log2_of = lambda z: 2 * mp.atanh(root(z)) / mp.log(2) / root(z)
    yield ("log2_tail", "(log2((1+q)/(1-q)) / q - C - C z/3) / z^2 with C = 2/log(2)", "z = q^2, |q| <= 0.1716, of the logarithm, for a power near 2^128",
           tiny, q * q, 2, lambda z: (log2_of(z) - two_over_log2 * (1 + z / 3)) / z**2, lambda z: z**2 / log2_of(z) * 2**23 * 128)
    yield ("sin", "(sin(r) - r) / r^3", "z = r^2, |r| <= pi/4, of sin(r)", tiny, quarter_pi**2, 2,
           lambda z: (mp.sin(root(z)) - root(z)) / root(z) ** 3, ulps(lambda z: root(z) ** 3 / mp.sin(root(z))))
    yield ("cos", "(cos(r) - 1 + z/2) / z^2", "z = r^2, |r| <= pi/4, of cos(r)", tiny, quarter_pi**2, 2,
           lambda z: (mp.cos(root(z)) - 1 + z / 2) / z**2, ulps(lambda z: z**2 / mp.cos(root(z))))
    yield ("asin", "(asin(s) - s) / s^3", "z = s^2, 0 <= s <= 1/2, of asin(s)", tiny, mp.mpf(0.25), 4,
           lambda z: (mp.asin(root(z)) - root(z)) / root(z) ** 3, ulps(lambda z: root(z) ** 3 / mp.asin(root(z))))
    yield ("atan", "(atan(q) - q) / q^3", "z = q^2, 0 <= q <= 1, of atan(q)", tiny, mp.mpf(1), 8,
           lambda z: (mp.atan(root(z)) - root(z)) / root(z) ** 3, ulps(lambda z: root(z) ** 3 / mp.atan(root(z))))
    yield ("tanh", "(tanh(x) - x) / x^3", "z = x^2, 0 <= x <= 5/8, of tanh(x)", tiny, mp.mpf(0.625) ** 2, 4,
           lambda z: (mp.tanh(root(z)) - root(z)) / root(z) ** 3, ulps(lambda z: root(z) ** 3 / mp.tanh(root(z))))
    yield ("erf", "erf(x) / x - 1", "z = x^2, 0 <= x <= 1, of erf(x)", tiny, mp.mpf(1), 6,
           lambda z: mp.erf(root(z)) / root(z) - 1, ulps(lambda z: root(z) / mp.erf(root(z))))
    yield ("erf_log", "-log(1 - erf(x))", "1 <= x <= 4, of erf(x)", mp.mpf(1), mp.mpf(4), 6,
           lambda x: -mp.log(mp.erfc(x)), ulps(lambda x: mp.erfc(x) / mp.erf(x)))
    x_of = lambda t: 2 * (1 + t) / (1 - t)
    slow = lambda x: (x + 2) * mp.exp(x * x) * mp.erfc(x)  # from 2 to 0.67, where e^(x^2) erfc(x) goes to 0
    yield ("erfc", "(x + 2) e^(x^2) erfc(x)", "t = (x-2)/(x+2), 0 <= x <= 10.1, of erfc(x)", mp.mpf(-1), mp.mpf(8.1) / mp.mpf(12.1), 9,
           lambda t: slow(x_of(t)), ulps(lambda t: 1 / slow(x_of(t))))
    yield ("cbrt", "the cube root of m, to be improved by one step of Newton's", "1 <= m <= 2", mp.mpf(1), mp.mpf(2), 4, mp.cbrt, ulps(lambda m: 1 / mp.cbrt(m)))


def parts(value, count, bits=24):
    """`value` as a sum of float32 numbers of at most `bits` bits, largest first."""
    result = []
    for _ in range(count):
        exponent = mp.floor(mp.log(abs(value), 2)) - bits + 1
        part = mp.nint(value / mp.mpf(2) ** exponent) * mp.mpf(2) ** exponent
        result.append(float(part))
        value -= part
    return result


def literal(value):
    digits, exponent = float(value).hex().split("p")
    return f"{digits.rstrip('0').rstrip('.')}p{exponent}F"


def wrapped(items, indent):
    lines, line = [], indent
    for item in items:
        if len(line) + len(item) + 2 > 160:
            lines.append(line.rstrip())
            line = indent
        line += item + ", "
    lines.append(line.rstrip(", "))
    return lines


CONSTANTS = [
    ("log2_e", "1 / log(2)", lambda: 1 / mp.log(2), 1),
    ("log_2", "log(2)", lambda: mp.log(2), 2),
    ("two_over_pi", "2 / pi", lambda: 2 / mp.pi, 1),
    ("pi", "pi", lambda: mp.pi, 2),
    ("half_pi", "pi / 2", lambda: mp.pi / 2, 3),
    ("two_over_log_2", "2 / log(2)", lambda: 2 / mp.log(2), 2),
    ("two_thirds_over_log_2", "2 / (3 log(2))", lambda: 2 / (3 * mp.log(2)), 2),
    ("cbrt_2", "the cube root of 2", lambda: mp.cbrt(2), 1),
    ("cbrt_half", "the cube root of 1/2", lambda: mp.cbrt(mp.mpf(1) / 2), 1),
]


def header():
    out = [
        "// Coefficients and constants of the float32 functions. Generated: backends/loops/fit_polynomials.py writes this file; change it there.",
        "//",
        "// A table holds the coefficients of a polynomial, the constant first. The error is that of the polynomial in exact arithmetic: how far it moves the",
        "// function's value at worst over the interval, in parts of 2^-23 of it. The float32 arithmetic around it comes on top (float_functions.inl).",
        "#pragma once",
        "",
        "// clang-format off",
        "",
        "#include <cstdint>",
        "",
        "namespace cotan::loops {",
        "",
        "struct Polynomials {",
    ]
    for name, formula, interval, low, high, degree, function, weight in tables():
        coefficients, error = fit(function, weight, low, high, degree)
        print(f"{name}: degree {degree}, error {error:.4f}")
        items = [literal(c) for c in coefficients]
        out.append(f"  // {formula}; {interval}: {error:.1e}")
        one_line = f"  static constexpr float {name}[] = {{{', '.join(items)}}};"
        if len(one_line) <= 160:
            out.append(one_line)
        else:
            out.append(f"  static constexpr float {name}[] = {{")
            out += wrapped(items, "      ")
            out[-1] += "};"
    out += ["};", ""]
    out.append("// Numbers that float32 does not hold, as sums of floats: the first is the number rounded, the next what that lacks.")
    for name, meaning, value, count in CONSTANTS:
        items = [literal(p) for p in parts(value(), count)]
        out.append(f"inline constexpr float {name}{'[]' if count > 1 else ''} = {'{' if count > 1 else ''}{', '.join(items)}{'}' if count > 1 else ''};  // {meaning}")
    words = [int(mp.floor(mp.ldexp(2 / mp.pi, 32 * (i + 1)))) % 2**32 for i in range(8)]
    out.append("")
    out.append("// The first 256 binary digits of 2 / pi after the point, behind 32 zeros.")
    out.append("inline constexpr std::uint32_t two_over_pi_digits[] = {")
    out += wrapped(["0x00000000U"] + [f"0x{w:08X}U" for w in words], "    ")
    out[-1] += "};"
    out += ["", "}  // namespace cotan::loops", ""]
    return "\n".join(out)


if __name__ == "__main__":
    mp.mp.dps = 110  # enough for the digits of 2 / pi
    text = header()
    pathlib.Path(__file__).with_name("polynomials.h").write_text(text)
