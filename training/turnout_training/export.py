"""The network as an ONNX graph: an int8 token table, int8 products, both outputs, and its metadata inside."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from turnout_training.batching import PADDING
from turnout_training.model import HEADS, PAIR_FACTOR, PAIRS, WIDTH, Layer, Network

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

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def integer(self, value: int) -> str:
        return self.constant(np.int64(value))

    def node(
        self, operator: str, *inputs: str, output: str | None = None, **attributes: Any
    ) -> str:
        name = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def lookup(self, table: torch.Tensor, ids: str) -> str:
        """Look ids up in a table stored as int8, with a scale for each row."""
        values = table.detach().numpy()
        scales = np.maximum(np.abs(values).max(1, keepdims=True), 1e-6).astype(np.float32) / 127
        quantised = self.constant(np.round(values / scales).astype(np.int8))
        rows = self.node("Cast", self.node("Gather", quantised, ids), to=TensorProto.FLOAT)
        return self.node("Mul", rows, self.node("Gather", self.constant(scales), ids))

    def linear(
        self, layer: torch.nn.Linear, features: str, *, scale: float = 1.0, shift: float = 0.0
    ) -> str:
        weight = layer.weight.detach().numpy().T * np.float32(scale)
        bias = layer.bias.detach().numpy() * np.float32(scale) + np.float32(shift)
        product = self.node("MatMul", features, self.constant(np.ascontiguousarray(weight)))
        return self.node("Add", product, self.constant(bias))

    def normalise(self, layer: torch.nn.LayerNorm, features: str) -> str:
        return self.node(
            "LayerNormalization",
            features,
            self.constant(layer.weight.detach().numpy()),
            self.constant(layer.bias.detach().numpy()),
            epsilon=layer.eps,
        )


def export(
    network: Network,
    path: Path,
    *,
    labels: Sequence[str],
    temperature: float,
    spread: tuple[float, float],
    version: str,
    data_digest: str,
) -> None:
    """Write the model to `path`.

    Categories' logits are divided by `temperature`, difficulty's scaled and shifted by `spread`. Input
    `ids` (1, length), of 1 to POSITIONS ids; outputs `probabilities` (1, labels) and `difficulty` (1, 1).
    """
    graph = _build(network, temperature, spread)
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
    _quantise(model, path)


def _quantise(model: Any, path: Path) -> None:
    """Write the model with int8 products."""
    # It would advise to infer shapes first, which these products do not need.
    logging.disable(logging.WARNING)
    try:
        # Seven bits of eight: products of two full bytes overflow on processors without VNNI.
        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
    finally:
        logging.disable(logging.NOTSET)


def _build(network: Network, temperature: float, spread: tuple[float, float]) -> _Graph:
    graph = _Graph()
    length = graph.node("Shape", "ids", start=1)
    positions = graph.node(
        "Slice",
        graph.constant(network.positions.detach().numpy()),
        graph.integers(0),
        length,
        graph.integers(0),
    )
    tokens = graph.node("Add", graph.lookup(network.tokens.weight, "ids"), positions)
    before = graph.node("Pad", "ids", graph.integers(0, 1, 0, -1), graph.integer(PADDING))
    pairs = graph.node("Mul", before, graph.integer(PAIR_FACTOR))
    pairs = graph.node("Mod", graph.node("Add", pairs, "ids"), graph.integer(PAIRS))
    tokens = graph.node("Add", tokens, graph.lookup(network.pairs.weight, pairs))
    tokens = graph.normalise(network.normalise_input, tokens)
    for layer in network.layers:
        tokens = _layer(graph, layer, tokens)
    tokens = graph.normalise(network.normalise_output, tokens)
    weights = graph.node("Softmax", graph.linear(network.pools, tokens), axis=1)
    weights = graph.node("Transpose", weights, perm=[0, 2, 1])
    pooled = graph.node("Flatten", graph.node("MatMul", weights, tokens), axis=1)
    largest = graph.node("ReduceMax", tokens, graph.integers(1), keepdims=0)
    features = graph.node("Concat", pooled, largest, axis=1)
    hidden = graph.node("Relu", graph.linear(network.hidden, features))
    category = graph.linear(network.category, hidden, scale=1 / temperature)
    graph.node("Softmax", category, output="probabilities", axis=1)
    counted = graph.node("Cast", length, to=TensorProto.FLOAT)
    logarithm = graph.node("Reshape", graph.node("Log", counted), graph.integers(1, 1))
    with_length = graph.node("Concat", hidden, logarithm, axis=1)
    scale, shift = spread
    difficulty = graph.linear(network.difficulty, with_length, scale=scale, shift=shift)
    graph.node("Sigmoid", difficulty, output="difficulty")
    return graph


def _layer(graph: _Graph, layer: Layer, tokens: str) -> str:
    parts = graph.linear(layer.attention, graph.normalise(layer.before_attention, tokens))
    split = graph.integers(0, 0, 3, HEADS, WIDTH // HEADS)
    parts = graph.node("Reshape", parts, split)
    query, key, value = (
        graph.node("Gather", parts, graph.constant(np.int64(i)), axis=2) for i in range(3)
    )
    query = graph.node("Transpose", query, perm=[0, 2, 1, 3])
    key = graph.node("Transpose", key, perm=[0, 2, 3, 1])
    value = graph.node("Transpose", value, perm=[0, 2, 1, 3])
    scale = graph.constant(np.float32((WIDTH // HEADS) ** -0.5))
    weights = graph.node("Softmax", graph.node("MatMul", graph.node("Mul", query, scale), key))
    seen = graph.node("Transpose", graph.node("MatMul", weights, value), perm=[0, 2, 1, 3])
    seen = graph.node("Reshape", seen, graph.integers(0, 0, WIDTH))
    tokens = graph.node("Add", tokens, graph.linear(layer.attended, seen))
    inner = graph.linear(layer.inner, graph.normalise(layer.before_inner, tokens))
    return graph.node("Add", tokens, graph.linear(layer.outer, graph.node("Relu", inner)))
