"""CIFAR10 and CIFAR100; manual, sections 12.1 and 12.2."""

from kcore_datasets_cifar import cifar10, cifar100

__all__ = ["cifar10", "cifar100"]
