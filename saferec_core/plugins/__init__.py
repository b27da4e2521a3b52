"""Everything a plugin author opens: hook specifications, registries, components and contracts."""
