"""kcore models as scikit-learn estimators (manual, chapter 19)."""

from kcore_scikit_learn.estimators import KerasClassifier, KerasRegressor

__all__ = ["KerasClassifier", "KerasRegressor"]
