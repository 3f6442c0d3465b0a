"""Single precision, whatever torch's default is."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch.overrides import TorchFunctionMode

P = ParamSpec("P")
Result = TypeVar("Result")
FACTORIES = {  # what makes floats of torch's default type unless given another
    torch.empty,
    torch.eye,
    torch.hann_window,
    torch.linspace,
    torch.ones,
    torch.rand,
    torch.randn,
    torch.zeros,
}
OF_NUMBERS = {
    torch.arange,
    torch.as_tensor,
    torch.full,
    torch.tensor,
}  # the same, where the numbers are floats


class _Single(TorchFunctionMode):
    """New floats are of single precision, in this thread, in torch's own and other libraries' code alike."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("dtype") is None:
            if func in FACTORIES:
                kwargs = kwargs | {"dtype": torch.float32}
            elif func in OF_NUMBERS and not any(hasattr(each, "dtype") for each in args[:1]):
                made = func(*args, **kwargs)
                return made.float() if made.is_floating_point() else made
        return func(*args, **kwargs)


def inference(function: Callable[P, Result]) -> Callable[P, Result]:
    """Run a function as `single_precision` does, without gradients."""
    return torch.no_grad()(single_precision(function))


def single_precision(function: Callable[P, Result]) -> Callable[P, Result]:
    """Run a function so that new tensors of floats have single precision, in its thread alone.

    `torch.set_default_dtype` changes it for every thread, and the libraries below make tensors without saying of
    which type.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> Result:
        with nullcontext() if torch.get_default_dtype() == torch.float32 else _Single():
            return function(*args, **kwargs)

    return run
