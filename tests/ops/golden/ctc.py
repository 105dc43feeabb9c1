"""Writes `ctc.npz`: the CTC loss and its decoders as the original computes them.

Run in an environment with `tensorflow-cpu` and `tf-keras`; the tests need neither. The beam search is TensorFlow's own
without merging of repeated labels, for beams wide enough that nothing is left out.
"""

from __future__ import annotations

import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
BEAMS = ((400, 3), (1, 1))


def main() -> None:
    import tensorflow as tf
    from tf_keras import backend as K

    rng = np.random.default_rng(3)
    batch, steps, classes, longest = 6, 9, 5, 4
    y_pred = rng.dirichlet(np.ones(classes) * 0.4, size=(batch, steps)).astype("float32")
    labels = rng.integers(0, classes - 1, (batch, longest)).astype("int32")
    labels[0] = [1, 1, 2, 2]
    label_length = np.array([4, 3, 2, 1, 4, 3], "int32")
    input_length = np.array([9, 9, 7, 5, 9, 6], "int32")
    stored = {"y_pred": y_pred, "labels": labels, "label_length": label_length, "input_length": input_length}
    x = tf.constant(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = K.ctc_batch_cost(labels.astype("float32"), x, input_length[:, None], label_length[:, None])
    stored |= {"loss": loss.numpy(), "gradient": tape.gradient(loss, x).numpy()}
    (decoded,), score = K.ctc_decode(y_pred, input_length, greedy=True)
    stored |= {"greedy": decoded.numpy(), "greedy_score": score.numpy()}
    scores = np.log(y_pred + 1e-7).transpose(1, 0, 2)
    for width, count in BEAMS:
        paths, log_p = tf.nn.ctc_beam_search_decoder(scores, input_length, beam_width=width, top_paths=count)
        stored[f"beam_{width}_score"] = log_p.numpy()
        for i, path in enumerate(paths):
            stored[f"beam_{width}_{i}"] = tf.sparse.to_dense(path, default_value=-1).numpy()
    sparse = K.ctc_label_dense_to_sparse(tf.constant(labels), tf.constant(label_length))
    stored["dense"] = tf.sparse.to_dense(sparse).numpy()
    np.savez_compressed(HERE / "ctc.npz", **stored)


if __name__ == "__main__":
    main()
