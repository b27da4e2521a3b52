"""Run configuration: the schema, and how YAML files and command-line overrides become one."""
