"""Run an encoder's graph: one pooled vector for each text or pair of texts."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ragcli.encoder.checkpoint import Checkpoint, Sizes
from ragcli.encoder.recipe import Pooling
from ragcli.encoder.texts import Text, groups, ids_of, tokenize, types_of
from ragcli.errors import RagcliError
from ragcli.models import ModelFolder
from ragcli.ort import open_graphs
from ragcli.ort.parallel import in_parallel
from ragcli.ort.quantization import Matrix
from ragcli.ort.session import open_session
from ragcli.tokenizer import check_vocabulary, read_wordpiece

Note = Callable[[str], None]
Precision = Literal["auto", "float32", "int8"]


def open_encoder_graph(
    checkpoint: Checkpoint, pooling: Pooling | Literal["none"], precision: Precision, note: Note
) -> Any:
    """Open the graph of a checkpoint, after writing it the first time. Raises RagcliError."""
    chosen: Literal["float32", "int8"] = "int8" if precision == "auto" else precision

    def write(path: Path) -> None:
        from ragcli.encoder.graph import write_graph  # imports onnx, which only the first run needs

        write_graph(checkpoint, pooling, chosen, path)

    graph = f"encoder {checkpoint.config.identity} {pooling}"

    def load(path: Path) -> Any:
        return open_session(path / "encoder.onnx", threads=False)

    return open_graphs(checkpoint.files, graph, chosen, write, load, note)


class EncoderSession:
    """A checkpoint, its tokenizer, and the session of its graph."""

    def __init__(
        self,
        folder: ModelFolder,
        config: Mapping[str, Any],
        pooling: Pooling,
        precision: Precision,
        note: Note,
        head: Sizes | None = None,
    ) -> None:
        """Load the model, after preparing its graph the first time. Raises RagcliError."""
        self.name = folder.name
        self.checkpoint = checkpoint = Checkpoint(folder, config, head)
        self._tokenizer = read_wordpiece(folder)
        check_vocabulary(folder, self._tokenizer, checkpoint.config.vocab_size)
        self._session = open_encoder_graph(checkpoint, pooling, precision, note)

    def run(self, texts: Sequence[Text], longest: int) -> Matrix:
        """Return the vectors (n, hidden) of texts or pairs. Raises RagcliError if they are not finite."""
        pooled = np.empty((len(texts), self.checkpoint.config.hidden_size), dtype=np.float32)
        encodings = tokenize(self._tokenizer, texts, longest)

        def run(places: list[int]) -> None:
            chosen = [encodings[place] for place in places]
            types = types_of(chosen) if self.checkpoint.config.types > 1 else None
            embeddings = self.checkpoint.embed(ids_of(chosen), types)
            [pooled[places]] = self._session.run(None, {"embeddings": embeddings})

        in_parallel(run, groups([len(encoding) for encoding in encodings]))
        if not np.isfinite(pooled).all():
            raise RagcliError(f"{self.name} gives vectors that are not finite", "Copy or download the model again.")
        return pooled
