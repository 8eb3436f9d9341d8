"""The network as an ONNX graph: int8 tables, both outputs, and its metadata inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from turnout_training.model import BIGRAM_FACTOR, BIGRAMS, Network

OPSET = 18


class _Graph:
    """Collects nodes and constants; each method returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value), name))
        return name

    def node(
        self, operator: str, *inputs: str, output: str | None = None, **attributes: Any
    ) -> str:
        name = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def lookup(self, table: torch.Tensor, ids: str) -> str:
        """Look ids up in a table stored as int8 with one scale."""
        values = table.detach().numpy()
        scale = np.float32(np.abs(values).max() / 127)
        quantised = self.constant(np.round(values / scale).astype(np.int8))
        rows = self.node("Cast", self.node("Gather", quantised, ids), to=TensorProto.FLOAT)
        return self.node("Mul", rows, self.constant(scale))

    def linear(self, layer: torch.nn.Linear, features: str, *, divide: float = 1.0) -> str:
        weight = layer.weight.detach().numpy() / np.float32(divide)
        bias = layer.bias.detach().numpy() / np.float32(divide)
        return self.node("Gemm", features, self.constant(weight), self.constant(bias), transB=1)


def export(
    network: Network,
    path: Path,
    *,
    labels: Sequence[str],
    temperature: float,
    version: str,
    data_digest: str,
) -> None:
    """Write the model to `path`, whole or not at all.

    Input `ids` (1, length); outputs `probabilities` (1, labels) and `difficulty` (1, 1).
    """
    graph = _build(network, temperature)
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "length"])]
    outputs = [
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, len(labels)]),
        helper.make_tensor_value_info("difficulty", TensorProto.FLOAT, [1, 1]),
    ]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "turnout", inputs, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
    )
    metadata = {"version": version, "labels": json.dumps(list(labels)), "data": data_digest}
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    temporary = path.with_suffix(".tmp")
    onnx.save(model, temporary)
    temporary.rename(path)


def _build(network: Network, temperature: float) -> _Graph:
    graph = _Graph()
    int64 = np.int64
    along = graph.constant(np.array([1], int64))
    tokens = graph.lookup(network.tokens.weight, "ids")
    weights = graph.node("Softmax", graph.lookup(network.attention.weight, "ids"), axis=1)
    pooled = graph.node("MatMul", graph.node("Transpose", weights, perm=[0, 2, 1]), tokens)
    pooled = graph.node("Flatten", pooled, axis=1)
    mean = graph.node("ReduceMean", tokens, along, keepdims=0)
    start, stop = graph.constant(np.array([0], int64)), graph.constant(np.array([-1], int64))
    second, end = graph.constant(np.array([1], int64)), graph.constant(np.array([2**62], int64))
    left = graph.node("Slice", "ids", start, stop, along)
    right = graph.node("Slice", "ids", second, end, along)
    scaled = graph.node("Mul", left, graph.constant(int64(BIGRAM_FACTOR)))
    pairs = graph.node("Mod", graph.node("Add", scaled, right), graph.constant(int64(BIGRAMS)))
    bigrams = graph.lookup(network.bigrams.weight, pairs)
    summed = graph.node("ReduceSum", bigrams, along, keepdims=0)
    length = graph.node("Gather", graph.node("Shape", "ids"), graph.constant(int64(1)))
    root = graph.node("Sqrt", graph.node("Cast", length, to=TensorProto.FLOAT))
    features = graph.node("Concat", pooled, mean, graph.node("Div", summed, root), axis=1)
    hidden = graph.node("Relu", graph.linear(network.hidden, features))
    category = graph.linear(network.category, hidden, divide=temperature)
    graph.node("Softmax", category, output="probabilities", axis=1)
    graph.node("Sigmoid", graph.linear(network.difficulty, hidden), output="difficulty")
    return graph
