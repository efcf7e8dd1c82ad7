"""Build an ONNX graph; large tensors are written to a separate file immediately."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from ragcli.ort.quantization import Matrix, to_4_bits, to_8_bits, to_8_bits_by_block

Kernel = Literal["float32", "rows8", "tokens8", "blocks8", "blocks4"]

MS = "com.microsoft"  # the domain of ONNX Runtime's own operators

_PAGE = 4096  # weights are aligned to pages for memory mapping
_SMALL = 1 << 16  # bytes up to which a tensor stays in the graph's file
_TINY = 1e-20  # avoids division by zero for rows of zeros
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
            self._tiny = self.constant("tiny", np.array(_TINY, dtype=np.float32))
            self._axis = self.constant("axis", np.array([-1]))

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
        if self._kernel == "rows8":
            return self._linear_rows(name, x, weight)
        if self._kernel == "tokens8":
            return self._linear_tokens(name, x, weight)
        bits = 8 if self._kernel == "blocks8" else 4
        values, scale = to_8_bits_by_block(weight) if bits == 8 else to_4_bits(weight)
        inputs = [x, self.constant(name, values), self.constant(f"{name}.scale", scale)]
        rows, columns = weight.shape
        block = values.shape[2] * 8 // bits
        sizes = {"K": rows, "N": columns, "bits": bits, "block_size": block, "accuracy_level": 4}
        return self.node("MatMulNBits", inputs, domain=MS, **sizes)

    def _linear_rows(self, name: str, x: str, weight: Matrix) -> str:
        """Quantize activations to 8 bits with one scale for each token, weights with one for each output.

        The operator supports only one scale for the whole input, so all tokens are first normalised to the same size.
        """
        size = self.node("ReduceMax", [self.node("Abs", [x]), self._axis], keepdims=1)
        size = self.node("Max", [size, self._tiny])
        values, scale = to_8_bits(weight)
        inputs = [
            self.node("Div", [x, size]),
            self.constant(name, values),
            self.constant(f"{name}.scale", scale),
            self.constant(f"{name}.zero", np.zeros(len(scale), np.int8)),
        ]
        return self.node("Mul", [self.node("DynamicQuantizeMatMul", inputs, domain=MS), size])

    def _linear_tokens(self, name: str, x: str, weight: Matrix) -> str:
        """Like _linear_rows, but the quantization of a token does not depend on the rest of the input."""
        if x not in self._rounded:
            self._rounded[x] = self._round_tokens(x)
        rounded, size = self._rounded[x]
        values, scale = to_8_bits(weight)
        inputs = [
            rounded,
            self.constant(name, values),
            self._step,
            self.constant(f"{name}.scale", scale),
            self._zero_point,
            self.constant(f"{name}.zero", np.zeros(len(scale), np.int8)),
        ]
        return self.node("Mul", [self.node("MatMulIntegerToFloat", inputs, domain=MS), size])

    def _round_tokens(self, x: str) -> tuple[str, str]:
        """Quantize to 1..255 around 128; return this, and the largest magnitude of each token."""
        if not self._rounded:
            self._step = self.constant("step", np.array(1 / 127, dtype=np.float32))
            self._zero_point = self.constant("zero_point", np.array(128, dtype=np.uint8))
        size = self.node("ReduceMax", [self.node("Abs", [x]), self._axis], keepdims=1)
        size = self.node("Max", [size, self._tiny])
        return self.node("QuantizeLinear", [self.node("Div", [x, size]), self._step, self._zero_point]), size

    def norm(self, name: str, stream: str, skip: Skip | None, gain: Matrix, bias: Matrix) -> tuple[str, str]:
        """Add `skip` to the stream, and normalise it; return the normalised stream and the sum."""
        inputs = [self.constant(name, gain), self.constant(f"{name}.bias", bias)]
        if skip is None:
            return self.node("LayerNormalization", [stream, *inputs], epsilon=self._epsilon), stream
        added, added_bias = skip
        inputs = [stream, added, *inputs, self.constant(f"{name}.skip", added_bias)]
        normed = self.node("SkipLayerNormalization", inputs, 4, MS, epsilon=self._epsilon)
        self.name_outputs("", "")  # mean and deviation
        return normed, f"{normed}.3"

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
