"""CUDA's autocast on any device, for counting what it keeps: which operators run in 16 bit, and which in float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

# https://docs.pytorch.org/docs/stable/amp.html#cuda-ops-that-can-autocast-to-float16, as far as networks use them.
_HALF = {
    *(F.conv1d, F.conv2d, F.conv3d, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d, F.linear),
    *(torch.matmul, torch.bmm, torch.mm, torch.addmm, torch.baddbmm, Tensor.matmul, Tensor.__matmul__),
    *(F.prelu, F.scaled_dot_product_attention),
}
_FLOAT = {
    *(F.softmax, F.log_softmax, F.softplus, F.layer_norm, F.group_norm, F.cross_entropy, F.nll_loss, F.interpolate),
    *(torch.softmax, torch.log_softmax, torch.exp, torch.log, torch.pow, torch.rsqrt, torch.sum, torch.norm),
    *(Tensor.softmax, Tensor.log_softmax, Tensor.exp, Tensor.log, Tensor.pow, Tensor.rsqrt, Tensor.sum, Tensor.norm),
}


class AutocastRules(TorchFunctionMode):
    """Within it, operators cast their float inputs as they do under ``torch.autocast("cuda")``, wherever they are."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Cast, then call ``func``."""
        named: Mapping[str, Any] = kwargs or {}
        kind = torch.float16 if func in _HALF else torch.float32 if func in _FLOAT else None
        if kind is None:
            return func(*args, **named)

        def cast(value: Any) -> Any:
            fits = isinstance(value, Tensor) and value.dtype in (torch.float16, torch.float32)
            return value.to(kind) if fits else value

        return func(*tree_map(cast, tuple(args)), **tree_map(cast, dict(named)))
