# Differences, integrals and gradients along a dimension.

import torch
from torch import Tensor
from typing import List, Optional


# the trapezoidal rule


def _h_steps(y: Tensor, x: Tensor, dim: int) -> Tensor:
    # the distances of the points, of the rank of y
    d = dim + y.dim() if dim < 0 else dim
    points = x
    if x.dim() == 1:
        if x.size(0) != y.size(d):
            raise RuntimeError("trapezoid: There must be one `x` value for each sample point")
        shape: List[int] = []
        for i in range(y.dim()):
            shape.append(x.size(0) if i == d else 1)
        points = x.reshape(shape)
    else:
        for _ in range(y.dim() - x.dim()):
            points = points.unsqueeze(0)
    return torch.slice(points, dim, 1, points.size(dim), 1) - torch.slice(points, dim, 0, -1, 1)


def trapezoid__x(y: Tensor, x: Tensor, dim: int) -> Tensor:
    n = y.size(dim)
    if n == 0:
        return torch.zeros_like(y.sum([dim]), dtype=y.dtype)
    return ((y.narrow(dim, 0, n - 1) + y.narrow(dim, 1, n - 1)) * _h_steps(y, x, dim)).sum([dim]) / 2.0


def trapezoid__dx(y: Tensor, dx: number, dim: int) -> Tensor:
    n = y.size(dim)
    if n == 0:
        return torch.zeros_like(y.sum([dim]), dtype=y.dtype)
    return (y.sum([dim]) - (y.select(dim, 0) + y.select(dim, n - 1)) * 0.5) * dx


def trapz__x(y: Tensor, x: Tensor, dim: int) -> Tensor:
    return trapezoid__x(y, x, dim)


def trapz__dx(y: Tensor, dx: float, dim: int) -> Tensor:
    return trapezoid__dx(y, dx, dim)


def cumulative_trapezoid__x(y: Tensor, x: Tensor, dim: int) -> Tensor:
    pairs = torch.slice(y, dim, 0, -1, 1) + torch.slice(y, dim, 1, y.size(dim), 1)
    return (pairs * _h_steps(y, x, dim)).cumsum(dim) / 2.0


def cumulative_trapezoid__dx(y: Tensor, dx: number, dim: int) -> Tensor:
    pairs = torch.slice(y, dim, 0, -1, 1) + torch.slice(y, dim, 1, y.size(dim), 1)
    return (float(dx) / 2.0 * pairs).cumsum(dim)


# gradients: central differences inside, one-sided ones of the first or second order at the ends


def _h_check_gradient(self: Tensor, dims: List[int], edge_order: int):
    for i in range(len(dims)):
        for j in range(i):
            if (dims[i] - dims[j]) % max(self.dim(), 1) == 0:
                raise RuntimeError("dim {} appears multiple times in the list of dims".format(dims[i] % max(self.dim(), 1)))
    if edge_order != 1 and edge_order != 2:
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    for d in dims:
        if self.size(d) < edge_order + 1:
            raise RuntimeError(
                "torch.gradient expected each dimension size to be at least {}".format(edge_order + 1)
            )


def _h_gradient_even(f: Tensor, h: number, dim: int, edge_order: int) -> Tensor:
    n = f.size(dim)
    inner = (f.narrow(dim, 2, n - 2) - f.narrow(dim, 0, n - 2)) / h / 2.0
    if edge_order == 1:
        first = (f.narrow(dim, 1, 1) - f.narrow(dim, 0, 1)) / h
        last = (f.narrow(dim, n - 1, 1) - f.narrow(dim, n - 2, 1)) / h
    else:
        first = (-1.5 * f.narrow(dim, 0, 1) + 2.0 * f.narrow(dim, 1, 1) - 0.5 * f.narrow(dim, 2, 1)) / h
        last = (0.5 * f.narrow(dim, n - 3, 1) - 2.0 * f.narrow(dim, n - 2, 1) + 1.5 * f.narrow(dim, n - 1, 1)) / h
    return torch.cat([first, inner, last], dim)


def _h_gradient_at(f: Tensor, points: Tensor, dim: int, edge_order: int) -> Tensor:
    if points.dim() != 1:
        raise RuntimeError("torch.gradient expected each element of spacing to have one dimension")
    n = f.size(dim)
    d = dim + f.dim() if dim < 0 else dim
    shape: List[int] = []
    for i in range(f.dim()):
        shape.append(n - 1 if i == d else 1)
    step = (points.narrow(0, 1, n - 1) - points.narrow(0, 0, n - 1)).reshape(shape)
    s = step.narrow(d, 0, n - 2)
    t = step.narrow(d, 1, n - 2)
    inner = (
        (-t / (s * (s + t))) * f.narrow(d, 0, n - 2)
        + ((t - s) / (s * t)) * f.narrow(d, 1, n - 2)
        + (s / (t * (s + t))) * f.narrow(d, 2, n - 2)
    )
    if edge_order == 1:
        first = (f.narrow(d, 1, 1) - f.narrow(d, 0, 1)) / step.narrow(d, 0, 1)
        last = (f.narrow(d, n - 1, 1) - f.narrow(d, n - 2, 1)) / step.narrow(d, n - 2, 1)
    else:
        s = step.narrow(d, 0, 1)
        t = step.narrow(d, 1, 1)
        first = (
            (-(2.0 * s + t) / (s * (s + t))) * f.narrow(d, 0, 1)
            + ((s + t) / (s * t)) * f.narrow(d, 1, 1)
            + (-s / (t * (s + t))) * f.narrow(d, 2, 1)
        )
        s = step.narrow(d, n - 3, 1)
        t = step.narrow(d, n - 2, 1)
        last = (
            (t / (s * (s + t))) * f.narrow(d, n - 3, 1)
            + (-(t + s) / (s * t)) * f.narrow(d, n - 2, 1)
            + ((2.0 * t + s) / (t * (s + t))) * f.narrow(d, n - 1, 1)
        )
    return torch.cat([first, inner, last], d)


def _h_gradient_dims(self: Tensor, dim: Optional[int]) -> List[int]:
    if dim is not None:
        return [dim]
    dims: List[int] = []
    for i in range(self.dim()):
        dims.append(i)
    return dims


def gradient__array(self: Tensor, dim: List[int], edge_order: int) -> List[Tensor]:
    return gradient__scalararray(self, 1.0, dim, edge_order)


def gradient__scalarint(self: Tensor, spacing: Optional[number], dim: Optional[int], edge_order: int) -> List[Tensor]:
    h = 1.0 if spacing is None else float(spacing)
    return gradient__scalararray(self, h, _h_gradient_dims(self, dim), edge_order)


def gradient__scalararray(self: Tensor, spacing: number, dim: List[int], edge_order: int) -> List[Tensor]:
    _h_check_gradient(self, dim, edge_order)
    results: List[Tensor] = []
    for d in dim:
        results.append(_h_gradient_even(self, spacing, d, edge_order))
    return results


def gradient__scalarrayint(self: Tensor, spacing: List[number], dim: Optional[int], edge_order: int) -> List[Tensor]:
    return gradient__scalarrayarray(self, spacing, _h_gradient_dims(self, dim), edge_order)


def gradient__scalarrayarray(self: Tensor, spacing: List[number], dim: List[int], edge_order: int) -> List[Tensor]:
    _h_check_gradient(self, dim, edge_order)
    if len(spacing) != len(dim):
        raise RuntimeError("torch.gradient expected spacing to be unspecified, a scalar, or a list of length {}".format(len(dim)))
    results: List[Tensor] = []
    for i in range(len(dim)):
        results.append(_h_gradient_even(self, spacing[i], dim[i], edge_order))
    return results


def gradient__tensorarrayint(self: Tensor, spacing: List[Tensor], dim: Optional[int], edge_order: int) -> List[Tensor]:
    return gradient__tensorarray(self, spacing, _h_gradient_dims(self, dim), edge_order)


def gradient__tensorarray(self: Tensor, spacing: List[Tensor], dim: List[int], edge_order: int) -> List[Tensor]:
    _h_check_gradient(self, dim, edge_order)
    if len(spacing) != len(dim):
        raise RuntimeError("torch.gradient expected spacing to be unspecified, a scalar, or a list of length {}".format(len(dim)))
    results: List[Tensor] = []
    for i in range(len(dim)):
        results.append(_h_gradient_at(self, spacing[i], dim[i], edge_order))
    return results
