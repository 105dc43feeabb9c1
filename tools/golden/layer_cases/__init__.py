"""The cases of each family: one module a family, with a function `cases()`."""
