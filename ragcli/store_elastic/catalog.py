"""Find, create and delete indexes on a server by name; several can be searched as one."""

from typing import Any, NamedTuple

from elasticsearch import BadRequestError, Elasticsearch, NotFoundError

from ragcli.errors import IndexMismatchError, UsageError
from ragcli.store import FORMAT_VERSION, IndexConfig, Shards
from ragcli.store_elastic.external import merged
from ragcli.store_elastic.layout import Json, index_mapping
from ragcli.store_elastic.server import foreign, not_elasticsearch
from ragcli.store_elastic.session import Session

_MASTER_WAIT = "5s"  # for an election of the cluster's master


class IndexInfo(NamedTuple):
    """Describe the indexes under a name. An index that is deleted and created again has another uuid."""

    indexes: tuple[str, ...]
    uuid: str
    mapping: Json


def find(session: Session) -> IndexInfo | None:
    """Return the indexes under a name, an alias, a pattern or several names; None if there are none."""
    index = session.index

    def ask() -> Any:
        wanted = "*.mappings,*.settings.index.uuid"
        return session.client.indices.get(index=index, filter_path=wanted, master_timeout=_MASTER_WAIT).body

    try:
        answer = session.repeated(ask)
    except NotFoundError as e:
        if e.message != "index_not_found_exception":
            raise
        return None
    if not answer:
        return None
    try:
        parts = {name: (part["settings"]["index"]["uuid"], part.get("mappings", {})) for name, part in answer.items()}
    except (AttributeError, KeyError, TypeError) as e:
        raise not_elasticsearch(session.url) from e
    return IndexInfo(tuple(parts), ",".join(uuid for uuid, _ in parts.values()), _mapping(parts, index))


def _mapping(parts: dict[str, tuple[str, Json]], index: str) -> Json:
    """Return the common mapping of indexes. Raises IndexMismatchError if ragcli made only some of them."""
    mappings = [mapping for _, mapping in parts.values()]
    if len(mappings) == 1:
        return mappings[0]
    configs = [mapping.get("_meta", {}).get("ragcli") for mapping in mappings]
    if any(configs) and any(config != configs[0] for config in configs):
        raise IndexMismatchError(
            f"the indexes of {index} were built in different ways, and cannot be searched as one",
            f"Name one of them: {', '.join(sorted(parts)[:10])}.",
        )
    return mappings[0] if any(configs) else merged(mappings)


def create(session: Session, config: IndexConfig, shards: Shards) -> None:
    """Create an index, unless another process was first."""
    numbers = {"number_of_shards": shards.shards, "number_of_replicas": shards.replicas}
    settings = {name: number for name, number in numbers.items() if number is not None}

    def make(client: Elasticsearch) -> object:
        return client.indices.create(
            index=session.index,
            mappings=index_mapping(config),
            settings=settings,
            master_timeout=_MASTER_WAIT,
            timeout=_MASTER_WAIT,
        )

    try:
        session.repeated(lambda: session.written(make))
    except BadRequestError as e:
        if e.message != "resource_already_exists_exception":
            raise


def drop(session: Session) -> None:
    """Delete an index, if it exists. Raises IndexMismatchError if ragcli did not make it, UsageError for an alias."""
    found, index = find(session), session.index
    if found is None:
        return
    if "ragcli" not in found.mapping.get("_meta", {}):
        raise foreign(index)
    if found.indexes != (index,):
        raise UsageError(
            f"{index} is an alias of {', '.join(found.indexes)}, and cannot be built again by this name",
            f"Name the index itself: --index {found.indexes[0]}",
        )
    session.written(lambda client: client.indices.delete(index=index))


def read_config(mapping: Json, url: str, index: str) -> IndexConfig | None:
    """Return how an index was built, None for one that ragcli did not build. Raises IndexMismatchError."""
    found = mapping.get("_meta", {}).get("ragcli")
    if found is None:
        return None
    if found.get("version") != FORMAT_VERSION:
        raise IndexMismatchError(
            f"index {index} at {url} has format {found.get('version')}, this ragcli reads {FORMAT_VERSION}",
            f"Build it again: ragcli index FILE --store {url} --index {index} --rebuild",
        )
    return IndexConfig.from_json(found)
