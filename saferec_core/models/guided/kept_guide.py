"""Automata of large catalogs, built once on a machine and mapped by all of its processes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import tokenizers
import xxhash

from saferec_core.data.catalog import Catalog
from saferec_core.data.column_views import as_array
from saferec_core.data.machine_cache import find_derived, make_derived
from saferec_core.data.sealed_tables import write_sealed
from saferec_core.errors import DataError
from saferec_core.files import json_hash
from saferec_core.models.decoding import backend_of
from saferec_core.models.guided.guide import Guide, build_guide
from saferec_core.models.guided.title_trie import Edges
from saferec_core.plugins.contracts.parser import ListParser
from saferec_core.plugins.identity import code_hash, options_of

__all__ = ["guide_of"]

_KIND = "guide"
_HERE = Path(__file__).parent

_KEPT_FROM = 2_000
"""Titles; automata of fewer are built in a second."""

_OF_EDGES = ("token", "target", "by_token", "by_leaf")
_OF_NODES = ("low", "high", "leaf")


def guide_of(
    tokenizer: Any,
    parser: ListParser,
    catalog: Catalog,
    *,
    num_ranks: int,
    end_ids: frozenset[int],
    generation_prefix: str = "",
) -> Guide:
    """Return what `build_guide` builds, mapped from a file if it was built on this machine before.

    It is made of the titles, the tokenizer, the parser with its options and code, and the other arguments. A
    parser that is not a dataclass may depend on anything, and an automaton of a small catalog is built at
    once: neither is kept, nor is one for which there is no space (see `saferec_core.data.machine_cache`).

    Args:
        tokenizer: As of `build_guide`.
        parser: As of `build_guide`.
        catalog: As of `build_guide`.
        num_ranks: As of `build_guide`.
        end_ids: As of `build_guide`.
        generation_prefix: As of `build_guide`.

    Raises:
        ConfigError: As of `build_guide`.
    """
    shape: dict[str, Any] = {
        "num_ranks": num_ranks,
        "end_ids": frozenset(end_ids),
        "generation_prefix": generation_prefix,
    }
    if len(catalog) < _KEPT_FROM or not dataclasses.is_dataclass(parser):
        return build_guide(tokenizer, parser, catalog, **shape)
    source = json_hash(
        {
            "catalog": [catalog.content_hash, catalog.year_tolerance, catalog.match_subtitles],
            "tokenizer": [tokenizers.__version__, len(tokenizer), _hash_of(tokenizer)],
            "parser": [type(parser).__module__, type(parser).__qualname__, options_of(parser)],
            "code": code_hash(type(parser).__module__.partition(".")[0]),
            **shape,
            "end_ids": sorted(end_ids),
        }
    )
    made = find_derived(_KIND, source, {}, _HERE)
    built: list[Guide] = []

    def write(draft: Path) -> None:
        built.append(build_guide(tokenizer, parser, catalog, **shape))
        write_sealed(draft, _tables(built[0]))

    if made is None:
        try:
            made = make_derived(_KIND, source, {}, write, _HERE)
        except DataError:
            return built[0] if built else build_guide(tokenizer, parser, catalog, **shape)
    return _mapped(made)


def _hash_of(tokenizer: Any) -> str:
    return xxhash.xxh3_128_hexdigest(backend_of(tokenizer).to_str().encode())


def _tables(guide: Guide) -> list[Any]:
    """Arrange an automaton in tables of columns of one length; what is not an array is in the metadata."""
    edges = guide.edges
    rest = {
        name: value
        for name, value in ((field.name, getattr(guide, field.name)) for field in dataclasses.fields(guide))
        if name not in {"edges", "start", "twins"}
    }
    by_edge = pa.table({name: getattr(edges, name) for name in _OF_EDGES})
    return [
        by_edge.replace_schema_metadata({"guide": json.dumps(rest)}),
        pa.table({name: getattr(edges, name) for name in _OF_NODES}),
        pa.table({"first": edges.first}),
        pa.table({"entry": edges.entry}),
        pa.table({"start": guide.start.ravel()}),
        pa.table({"twins": guide.twins.ravel()}),
    ]


def _mapped(path: Path) -> Guide:
    source = pa.memory_map(str(path))
    tables = [pa.ipc.open_stream(source).read_all() for _ in range(6)]
    columns = {name: as_array(table.column(name)) for table in tables for name in table.column_names}
    kept: dict[str, Any] = json.loads(tables[0].schema.metadata[b"guide"])
    rest: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()
    }
    edges = {name: columns[name] for name in (*_OF_EDGES, *_OF_NODES, "first", "entry")}
    return Guide(
        edges=Edges(**edges),
        start=columns["start"].reshape(-1, 2),
        twins=columns["twins"].reshape(-1, 2),
        **rest,
    )
