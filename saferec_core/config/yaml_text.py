"""Read YAML that people write: what YAML itself would pass over in silence is an error."""

from __future__ import annotations

from typing import Any

import yaml

__all__ = ["read_yaml"]

_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str, *, fast: bool = False) -> Any:
    """Read a YAML document.

    Args:
        text: The document.
        fast: Whether it is read by the parser in C, which is ten times as fast, words its errors differently
            and takes the process down where lists lie too deep within one another.

    Raises:
        yaml.YAMLError: It is not valid; a key occurs twice, of which YAML would keep the last; or it is too
            deep, or holds a number too long, to be read.
    """
    loader = (_FAST if fast else yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_repeated_keys(node)
        return loader.construct_document(node)
    except RecursionError:
        raise yaml.YAMLError("it is too deep to be read") from None
    except ValueError as error:  # of a number or a date
        raise yaml.YAMLError(str(error)) from error
    finally:
        loader.dispose()


def _refuse_repeated_keys(root: yaml.Node) -> None:
    nodes, seen = [root], {id(root)}  # an alias stands for a node that occurs in several places
    while nodes:
        node = nodes.pop()
        below = list(node.value) if isinstance(node, yaml.SequenceNode) else []
        if isinstance(node, yaml.MappingNode):
            known: set[tuple[str, str]] = set()
            for key, value in node.value:
                below.append(value)
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if (key.tag, key.value) in known:
                    problem = f"{key.value!r} occurs twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                known.add((key.tag, key.value))
        for each in below:
            if id(each) not in seen:
                seen.add(id(each))
                nodes.append(each)
