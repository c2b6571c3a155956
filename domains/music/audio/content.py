"""Content vectors of tracks: what the recommender may know of a track before anyone heard it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.errors import InvalidDataError
from domains.music.audio.embedding import SoundEmbedding
from domains.music.audio.library import SoundLibrary

MOST_DIMENSIONS = 24
"""Of a content vector: every one of them is a column of each training row."""


def content_vectors(library: SoundLibrary) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """The tracks' sound on its main axes.

    Returns:
        Track ids, ascending, and vectors `(n, n_dimensions)` of unit length. A track that sounds
        like the average of all has no direction and is left out.

    Raises:
        InvalidDataError: if no two tracks of the library differ.
    """
    vectors = np.empty((0, 1), np.float32)
    if len(library):
        embedding = SoundEmbedding.fit(library.features, library.units, MOST_DIMENSIONS)
        vectors = embedding.embed(library.features, library.units)
    kept = np.flatnonzero(vectors.any(axis=1))
    if not len(kept):
        raise InvalidDataError(
            "the sound library",
            "no two of its tracks differ, which gives no content vectors",
            "Index more tracks.",
        )
    return tuple(library.track_ids[row] for row in kept), vectors[kept]


def write_content(path: Path, library: SoundLibrary) -> int:
    """Write the columns `object_id` and `vector` to a Parquet file; returns the number of rows.

    Raises:
        InvalidDataError: see `content_vectors`, or the file cannot be written.
    """
    track_ids, vectors = content_vectors(library)
    flat = pa.array(vectors.ravel(), pa.float32())
    column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        pq.write_table(pa.table({"object_id": list(track_ids), "vector": column}), temporary)
        temporary.replace(path)
    except OSError as error:
        raise InvalidDataError(
            str(path), f"cannot be written ({error.strerror or error})", "Choose another place."
        ) from error
    return len(track_ids)
