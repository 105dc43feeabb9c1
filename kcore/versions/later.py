"""Names and arguments of versions later than Keras 2.1.6, and what to use instead."""

from __future__ import annotations

_BY_LAMBDA = "Write it with the functions of kcore.backend in a Lambda, or as a layer of your own."
_IMAGES = "Use kcore.preprocessing.image, or a Lambda."
_COUNTED = (
    "Compute it with scikit-learn from model.predict(x), or write a metric as a layer with stateful = True, whose "
    "updates count over an epoch."
)
_HUBER = (
    "Write it as a function: def huber(y_true, y_pred): e = K.abs(y_true - y_pred); q = K.minimum(e, 1.0); "
    "return K.mean(0.5 * K.square(q) + e - q, axis=-1)"
)
_OPTIMIZER = "Use Adam or another of kcore.optimizers, or derive one of your own from kcore.optimizers.Optimizer."

#: Classes of losses and metrics that are around a function, and the name of that function.
FUNCTIONS_OF_CLASSES = {
    "BinaryAccuracy": "binary_accuracy",
    "BinaryCrossentropy": "binary_crossentropy",
    "CategoricalAccuracy": "categorical_accuracy",
    "CategoricalCrossentropy": "categorical_crossentropy",
    "CategoricalHinge": "categorical_hinge",
    "Hinge": "hinge",
    "KLDivergence": "kullback_leibler_divergence",
    "LogCosh": "logcosh",
    "MeanAbsoluteError": "mean_absolute_error",
    "MeanAbsolutePercentageError": "mean_absolute_percentage_error",
    "MeanSquaredError": "mean_squared_error",
    "MeanSquaredLogarithmicError": "mean_squared_logarithmic_error",
    "Poisson": "poisson",
    "SparseCategoricalAccuracy": "sparse_categorical_accuracy",
    "SparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
    "SquaredHinge": "squared_hinge",
}
_AS_FUNCTIONS = {name: f"Use the function: '{function}'." for name, function in FUNCTIONS_OF_CLASSES.items()}

#: Names that later versions have, by kind, and what to use instead.
LATER: dict[str, dict[str, str]] = {
    "layers": {
        **dict.fromkeys(
            (
                "AdditiveAttention",
                "Attention",
                "DenseFeatures",
                "EinsumDense",
                "GroupNormalization",
                "LayerNormalization",
                "MultiHeadAttention",
                "UnitNormalization",
            ),
            _BY_LAMBDA,
        ),
        **dict.fromkeys(
            ("CenterCrop", "RandomCrop", "RandomFlip", "RandomRotation", "RandomZoom", "Rescaling", "Resizing"), _IMAGES
        ),
        "StringLookup": "Use kcore.preprocessing.text.Tokenizer.",
        "TextVectorization": "Use kcore.preprocessing.text.Tokenizer.",
        "TFSMLayer": "Only files of the HDF5 format can be read: kcore.models.load_model.",
        "ConvLSTM1D": "Use ConvLSTM2D with an axis of size 1.",
        "DepthwiseConv1D": "Use SeparableConv1D, or DepthwiseConv2D with an axis of size 1.",
    },
    "losses": {
        **_AS_FUNCTIONS,
        **dict.fromkeys(("Huber", "huber", "huber_loss"), _HUBER),
        "CosineSimilarity": "Use 'cosine_proximity', which has the same values as a loss.",
        "cosine_similarity": "Use 'cosine_proximity', which has the same values as a loss.",
        "log_cosh": "It is called 'logcosh' here.",
        "kl_divergence": "It is called 'kullback_leibler_divergence' here.",
        "binary_focal_crossentropy": "Write it as a function (y_true, y_pred) of kcore.backend.",
    },
    "metrics": {
        **_AS_FUNCTIONS,
        **dict.fromkeys(
            (
                "AUC",
                "F1Score",
                "FalseNegatives",
                "FalsePositives",
                "MeanIoU",
                "Precision",
                "PrecisionAtRecall",
                "Recall",
                "SensitivityAtSpecificity",
                "TrueNegatives",
                "TruePositives",
                "auc",
            ),
            _COUNTED,
        ),
        "Accuracy": "Use 'accuracy'.",
        "CosineSimilarity": "Use 'cosine_proximity', whose values have the other sign.",
        "cosine_similarity": "Use 'cosine_proximity', whose values have the other sign.",
        "Mean": "Write a metric as a layer with stateful = True, whose updates add up over an epoch.",
        "RootMeanSquaredError": "Write it: def rmse(y_true, y_pred): return K.sqrt(K.mean(K.square(y_true - y_pred)))",
        "TopKCategoricalAccuracy": "Use the function 'top_k_categorical_accuracy'.",
    },
    "optimizers": dict.fromkeys(("AdamW", "Adafactor", "Ftrl", "Lion", "Muon", "Lamb"), _OPTIMIZER),
    "callbacks": {
        "BackupAndRestore": "Use ModelCheckpoint, and load_model with fit(initial_epoch=...) to go on.",
        "SwapEMAWeights": "Write it as a callback of your own.",
    },
    "activations": {
        **dict.fromkeys(("silu", "swish"), "Give the function: activation=lambda x: x * K.sigmoid(x)."),
        "gelu": "Give the function: activation=lambda x: x * K.sigmoid(1.702 * x), which is near it.",
        "mish": "Give the function: activation=lambda x: x * K.tanh(K.softplus(x)).",
        "leaky_relu": "Use the layer LeakyReLU(alpha).",
    },
    "preprocessing": {"image_dataset_from_directory": "Use ImageDataGenerator().flow_from_directory."},
    "utils": {
        "image_dataset_from_directory": "Use ImageDataGenerator().flow_from_directory.",
        "set_random_seed": "Use numpy.random.seed(n).",
        "pad_sequences": "It is in kcore.preprocessing.sequence.",
        **dict.fromkeys(
            ("array_to_img", "img_to_array", "load_img", "save_img"), "It is in kcore.preprocessing.image."
        ),
        "register_keras_serializable": "Use get_custom_objects().update({name: object}), or custom_objects=.",
    },
}

_NO_SESSION = "There is no session here that could be set: leave it away. K.get_session().run(tensor) computes."
#: Names of the module `keras.backend.tensorflow_backend`, and what to use instead.
OF_TENSORFLOW = {
    "set_session": _NO_SESSION,
    "tensorflow_backend": f"It is TensorFlow's. {_NO_SESSION}",
    "tf": "It is TensorFlow, whose functions do not take the tensors here. Use those of kcore.backend.",
}

_READING = "Give the generator to fit_generator, evaluate_generator or predict_generator, which have it."
_GRAPH = "Models are always compiled to a plan here: leave it away."
#: Arguments that later versions have, and what to use instead. "Owner.argument" goes before "argument".
LATER_ARGUMENTS = {
    "restore_best_weights": (
        "Save the best weights with ModelCheckpoint(path, save_best_only=True, save_weights_only=True), and "
        "model.load_weights(path) after fit."
    ),
    "start_from_epoch": "Use fit(initial_epoch=...), or derive a callback.",
    "learning_rate": "It is called `lr` here.",
    "beta1": "It is called `beta_1`.",
    "weight_decay": "Give kernel_regularizer=regularizers.l2(factor) to the layers.",
    "global_clipnorm": "It is what `clipnorm` does here.",
    "use_ema": "Write it as a callback.",
    "save_freq": "Use `period`, a number of epochs.",
    "profile_batch": "Use cProfile, and Function.show() for the plan.",
    "run_eagerly": _GRAPH,
    "steps_per_execution": _GRAPH,
    "jit_compile": _GRAPH,
    "auto_scale_loss": _GRAPH,
    "validation_freq": "Call fit(..., initial_epoch=n, epochs=m) several times, some with validation_data.",
    "validation_batch_size": "Validation has the batch size of the training; or call evaluate.",
    "fit.workers": _READING,
    "fit.use_multiprocessing": _READING,
    "fit.max_queue_size": _READING,
    "evaluate.workers": _READING,
    "evaluate.use_multiprocessing": _READING,
    "evaluate.max_queue_size": _READING,
    "predict.workers": _READING,
    "predict.use_multiprocessing": _READING,
    "predict.max_queue_size": _READING,
    "evaluate.callbacks": "Only fit and fit_generator tell callbacks.",
    "predict.callbacks": "Only fit and fit_generator tell callbacks.",
    "return_dict": "Use dict(zip(model.metrics_names, model.evaluate(x, y))).",
    "reset_metrics": "Metrics begin anew with each epoch: leave it away.",
    "groups": "Split the channels with Lambda, and use Concatenate.",
    "dynamic": _GRAPH,
    "autocast": "Layers compute in the dtype of their weights: leave it away.",
    "dtype_policy": "Layers compute in the dtype of their weights: leave it away.",
    "ragged": "Pad with kcore.preprocessing.sequence.pad_sequences, and use Masking.",
    "time_major": "Put Permute((2, 1)) before the layer.",
    "renorm": "Only the plain formula is there: leave it away.",
    "fused": "Leave it away.",
    "negative_slope": "It is called `alpha` here.",
    "from_logits": "Put Activation('softmax') or 'sigmoid' last in the model.",
    "UpSampling2D.interpolation": "It repeats rows and columns: leave it away.",
    "Flatten.data_format": "Put Permute before it.",
}
