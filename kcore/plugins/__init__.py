"""The plugin system: finding, choosing and loading what other distributions offer.

    kinds.py         the kinds of things a plugin can offer, and the plugin API's version
    metadata.py      one distribution's entry points, read tolerantly
    discovery.py     the one scan of all installed distributions
    core_objects.py  what the core itself offers, by name
    catalogue.py     which first-party distribution has which name (generated)
    policy.py        which of several candidates is used: pins, switching off, versions
    missing.py       what a user reads when a name is not there
    registry.py      names to objects: `registry.get(kind, name)`
    scopes.py        custom objects, per thread and task
    objects.py       serialize_keras_object, deserialize_keras_object
    doors.py         `kcore.layers` and the other modules whose names the registry resolves
    finder.py        `import kcore.datasets.mnist`, and old import paths
    old_paths.py     the table of old import paths
    hookspecs.py     hooks by which a plugin takes part in something
    hooks.py         loading and calling them
    report.py        `kcore plugins list|show|check`

Importing this package imports nothing else; `from kcore.plugins import registry` does.
"""
