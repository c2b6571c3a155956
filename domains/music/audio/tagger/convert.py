"""Made the weights that ship with Encore; nothing runs it at run time.

In a throw-away environment of Python 3.11:

    pip install tensorflow==2.15.1 'numpy<2' librosa==0.10.2 soundfile safetensors
    pip install --no-deps musicnn==0.1.0
    python -P domains/music/audio/tagger/convert.py weights OUT
    python -P domains/music/audio/tagger/convert.py fixtures CLIPS OUT.npz

The first writes `msd_musicnn.safetensors` and `mtt_musicnn.safetensors`, named as the parameters of
`network.Musicnn`; the second runs the original graph on the clips and keeps its answers for tests.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

MODELS = {"msd": "MSD_musicnn", "mtt": "MTT_musicnn"}
CLIPS = ("km_hustle", "classical_brahms_0", "jazz_vibeace_0", "cc0_loop_amen_full")

# TensorFlow numbered its layers in the order in which the graph was built.
_CONVOLUTIONS = (
    ("conv2d", "timbral.0"),
    ("conv2d_1", "timbral.1"),
    ("conv2d_2", "temporal.0"),
    ("conv2d_3", "temporal.1"),
    ("conv2d_4", "temporal.2"),
    ("conv2d_5", "middle.0"),
    ("conv2d_6", "middle.1"),
    ("conv2d_7", "middle.2"),
)
_NORMS = (
    ("batch_normalization", "input_norm"),
    *((f"batch_normalization_{i + 1}", f"front_norms.{i}") for i in range(5)),
    *((f"batch_normalization_{i + 6}", f"middle_norms.{i}") for i in range(3)),
    ("batch_normalization_9", "pool_norm"),
    ("batch_normalization_10", "dense_norm"),
)
_DENSE = (("dense", "dense"), ("dense_1", "tags"))


def write_weights(out: Path) -> None:
    """Read both checkpoints and write them as safetensors, without the optimiser's slots."""
    import musicnn
    import tensorflow
    from safetensors.numpy import save_file

    for name, directory in MODELS.items():
        checkpoint = Path(musicnn.__file__).parent / directory
        read = tensorflow.compat.v1.train.NewCheckpointReader(f"{checkpoint}/").get_tensor
        weights = {}
        for theirs, ours in _CONVOLUTIONS:
            kernel = read(f"{theirs}/kernel")  # (frames, bands, 1, filters)
            if ours.startswith("middle"):  # the "bands" of these are the channels before
                kernel = kernel[:, :, 0, :].transpose(2, 1, 0)
            else:
                kernel = kernel.transpose(3, 2, 0, 1)
            weights[f"{ours}.weight"] = kernel
            weights[f"{ours}.bias"] = read(f"{theirs}/bias")
        for theirs, ours in _NORMS:
            weights[f"{ours}.weight"] = read(f"{theirs}/gamma")
            weights[f"{ours}.bias"] = read(f"{theirs}/beta")
            weights[f"{ours}.running_mean"] = read(f"{theirs}/moving_mean")
            weights[f"{ours}.running_var"] = read(f"{theirs}/moving_variance")
            weights[f"{ours}.num_batches_tracked"] = np.array(0, dtype=np.int64)
        for theirs, ours in _DENSE:
            weights[f"{ours}.weight"] = read(f"{theirs}/kernel").T
            weights[f"{ours}.bias"] = read(f"{theirs}/bias")
        contiguous = {key: np.ascontiguousarray(value) for key, value in weights.items()}
        save_file(contiguous, out / f"{name}_musicnn.safetensors")


def write_fixtures(clips: Path, out: Path) -> None:
    """Run the original on a few clips: taggrams, and the layer before the tags.

    Of that layer only the first window is kept: the original's extractor repeats it in place of all
    later ones.
    """
    from musicnn.extractor import extractor

    answers = {}
    for name, model in MODELS.items():
        for clip in CLIPS:
            taggram, _, layers = extractor(str(clips / f"{clip}.ogg"), model=model)
            answers[f"{name}/{clip}/tags"] = taggram
            answers[f"{name}/{clip}/units"] = layers["penultimate"][:1]
    np.savez_compressed(out, **answers)


if __name__ == "__main__":
    if sys.argv[1] == "weights":
        write_weights(Path(sys.argv[2]))
    else:
        write_fixtures(Path(sys.argv[2]), Path(sys.argv[3]))
