"""Build an ONNX graph; large tensors are written to a separate file immediately."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from ragcli.ort.quantization import BLOCK_4, Matrix, to_4_bits, to_8_bits

Kernel = Literal["float32", "rows8", "tokens8", "blocks4"]

MS = "com.microsoft"  # the domain of ONNX Runtime's own operators

_PAGE = 4096  # weights are aligned to pages for memory mapping
_SMALL = 1 << 16  # bytes up to which a tensor stays in the graph's file
_ELEMENT_TYPES = {"float32": TensorProto.FLOAT, "int8": TensorProto.INT8, "uint8": TensorProto.UINT8}

Skip = tuple[str, Matrix]  # a layer's output to add to the stream, and its bias


class Graph:
    """A graph under construction; linear layers use the `kernel`, norms the `epsilon`."""

    def __init__(self, kernel: Kernel, epsilon: float, weights: BinaryIO) -> None:
        self._epsilon = epsilon
        self._kernel = kernel
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: list[onnx.TensorProto] = []
        self._rounded: dict[str, tuple[str, str]] = {}  # quantized activations that several layers use
        if kernel in ("rows8", "tokens8"):
            self._axis = self.constant("axis", np.array([-1]))
            self._step = self.constant("step", np.array(1 / 127, dtype=np.float32))
            self._zero_point = self.constant("zero_point", np.array(128, dtype=np.uint8))

    def node(self, op: str, inputs: Sequence[str], outputs: int = 1, domain: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of its first output; the others have the suffixes .1, .2, …."""
        name = f"{op}_{len(self._nodes)}"
        names = [name, *(f"{name}.{k}" for k in range(1, outputs))]
        self._nodes.append(helper.make_node(op, list(inputs), names, name, domain=domain, **attributes))
        return name

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a tensor and return its name."""
        values = np.ascontiguousarray(values)
        if values.nbytes <= _SMALL:
            self._tensors.append(numpy_helper.from_array(values, name))
            return name
        self._weights.write(b"\0" * (-self._weights.tell() % _PAGE))
        tensor = TensorProto(name=name, data_type=_ELEMENT_TYPES[str(values.dtype)], dims=values.shape, raw_data=b"")
        set_external_data(tensor, Path(self._weights.name).name, self._weights.tell(), values.nbytes)
        tensor.ClearField("raw_data")
        values.tofile(self._weights)
        self._tensors.append(tensor)
        return name

    def linear(self, name: str, x: str, weight: Matrix) -> str:
        """Multiply by a matrix (in, out) with the graph's kernel."""
        if self._kernel == "float32":
            return self.node("MatMul", [x, self.constant(name, weight)])
        if self._kernel == "blocks4":
            return self._linear_4_bits(name, x, weight)
        if x not in self._rounded:
            self._rounded[x] = self._round_rows(x) if self._kernel == "rows8" else self._round_tokens(x)
        rounded, size = self._rounded[x]
        values, scale = to_8_bits(weight)
        inputs = [rounded, self.constant(name, values), self._step, self.constant(f"{name}.scale", scale)]
        product = self.node("MatMulIntegerToFloat", [*inputs, self._zero_point], domain=MS)
        return self.node("Mul", [product, size])

    def _linear_4_bits(self, name: str, x: str, weight: Matrix) -> str:
        values, scale = to_4_bits(weight)
        inputs = [x, self.constant(name, values), self.constant(f"{name}.scale", scale)]
        sizes = {"K": len(weight), "N": weight.shape[1], "bits": 4, "block_size": BLOCK_4, "accuracy_level": 4}
        return self.node("MatMulNBits", inputs, domain=MS, **sizes)

    def _round_tokens(self, x: str) -> tuple[str, str]:
        """Quantize (rows, tokens, in) to 1..255 around 128; return this, and the largest magnitude of each token.

        A token of zeros becomes anything, which is multiplied by its magnitude of zero.
        """
        size = self._size(x)
        return self.node("QuantizeLinear", [self.node("Div", [x, size]), self._step, self._zero_point]), size

    def _round_rows(self, x: str) -> tuple[str, str]:
        """Quantize (rows, in) likewise, in fewer passes, because the operator takes a scale for each row."""
        size = self._size(x)
        scale = self.node("Reshape", [self.node("Mul", [size, self._step]), self._axis])
        zero_points = self.node("Expand", [self._zero_point, self.node("Shape", [scale])])
        return self.node("QuantizeLinear", [x, scale, zero_points], axis=0), size

    def _size(self, x: str) -> str:
        """Return the largest magnitude of each token."""
        return self.node("ReduceMax", [self.node("Abs", [x]), self._axis], keepdims=1)

    def norm(self, name: str, stream: str, skip: Skip | None, gain: Matrix, bias: Matrix) -> tuple[str, str]:
        """Add `skip` to the stream, and normalise it; return the normalised stream and the sum."""
        inputs = [self.constant(name, gain), self.constant(f"{name}.bias", bias)]
        if skip:  # Add would be fused into a SkipLayerNormalization, which takes four times as long as both
            stream = self.node("Sum", [stream, skip[0], self.constant(f"{name}.skip", skip[1])])
        return self.node("LayerNormalization", [stream, *inputs], epsilon=self._epsilon), stream

    def activation(self, kind: str, x: str, name: str, bias: Matrix) -> str:
        """Add a bias and apply one of the ACTIVATIONS."""
        inputs = [x, self.constant(name, bias)]
        if kind == "relu":
            return self.node("Relu", [self.node("Add", inputs)])
        return self.node("BiasGelu" if kind == "gelu" else "FastGelu", inputs, domain=MS)

    def name_outputs(self, *names: str) -> None:
        """Name the last node's second and further outputs; an empty name omits one."""
        self._nodes[-1].output[1 : 1 + len(names)] = names

    def finish(
        self,
        inputs: Sequence[onnx.ValueInfoProto],
        output: onnx.ValueInfoProto,
        written: Sequence[onnx.ValueInfoProto] = (),
    ) -> onnx.ModelProto:
        """Return the model; its output is the last node's, `written` are outputs of other nodes."""
        self._nodes[-1].output[0] = output.name
        graph = helper.make_graph(self._nodes, "ragcli", inputs, [output, *written], self._tensors)
        versions = [helper.make_opsetid("", 20), helper.make_opsetid(MS, 1)]
        return helper.make_model(graph, opset_imports=versions, ir_version=10)


def value(name: str, kind: int, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    """Describe an input or output of a graph."""
    return helper.make_tensor_value_info(name, kind, shape)
