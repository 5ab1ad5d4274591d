"""Packages that bring parts of their own: they declare the entry-point group ``faceuv.plugins``."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from faceuv.errors import FaceUVError

PLUGIN_GROUP = "faceuv.plugins"
_loaded_plugins: set[str] = set()


def load_plugins() -> list[str]:
    """Import every package that declares the entry-point group ``faceuv.plugins``, once; return their names.

    A plug-in that fails to load raises an error that names it. Two plug-ins of one name are an error, too.
    """
    owners: dict[str, EntryPoint] = {}
    for plugin in entry_points(group=PLUGIN_GROUP):
        first = owners.setdefault(plugin.name, plugin)
        if _identity(first) != _identity(plugin):
            raise FaceUVError(
                f"two packages declare the faceuv plug-in {plugin.name!r}: {_identity(first)} and {_identity(plugin)};"
                " rename one, or uninstall its package"
            )
        if plugin.name in _loaded_plugins:
            continue
        _loaded_plugins.add(plugin.name)
        try:
            plugin.load()
        except Exception as error:
            _loaded_plugins.discard(plugin.name)
            raise FaceUVError(
                f"the faceuv plug-in {plugin.name!r} ({plugin.value}) failed to load: {type(error).__name__}: {error};"
                " repair or uninstall its package"
            ) from error
    return sorted(_loaded_plugins)


def _identity(plugin: EntryPoint) -> str:
    """Package and module of a plug-in, for messages. A package that is found at two places counts once."""
    return f"{plugin.value} of {plugin.dist.name}" if plugin.dist is not None else plugin.value
