"""Round weights to 8 bits, as the package has them.

Each row of a matrix has a scale of its own; positions have 16 bits, norms and biases 32.
"""

import torch

LEAST_ROWS = 8  # of a matrix that is rounded; a reader's outputs and its token types are small
_POSITIONS = ("position", "wpe")


def quantize(tensors: dict[str, torch.Tensor], top: int = 127) -> dict[str, torch.Tensor]:
    """Return tensors rounded to -top..top, and beside each its scales under the name `_scale`."""
    found: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        values = tensor.float()
        if any(part in name for part in _POSITIONS):
            found[name] = values.half()
        elif values.ndim == 2 and len(values) >= LEAST_ROWS:
            scale = values.abs().amax(dim=1).clamp_min(1e-12) / top
            found[name] = (values / scale[:, None]).round().to(torch.int8)
            found[f"{name}_scale"] = scale
        else:
            found[name] = values
    return {name: tensor.contiguous() for name, tensor in found.items()}
