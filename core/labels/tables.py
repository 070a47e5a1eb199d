"""The tables of the label journal, what keeps them append-only, and how they grow.

`entries` holds the chain; `head` names its last entry, in the same transaction, so that a cut
tail is noticed; `facts` says which journal this is and by which schema it was written. The
same tables serve SQLite and PostgreSQL.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
    update,
)

from core.labels.canonical import genesis

METADATA = MetaData()

ENTRIES = Table(
    "entries",
    METADATA,
    # SQLite makes an INTEGER PRIMARY KEY the row's own number; PostgreSQL wants 64 bits.
    Column(
        "sequence",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("case_id", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Index("entries_of_a_case", "case_id", "sequence"),
)
"""sequence: 1, 2, 3 …; body: canonical JSON, see core.labels.canonical; digest: its SHA-256."""

HEAD = Table(
    "head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
)
"""One row, id 1: sequence and digest of the last entry (0 and the genesis digest at first)."""

FACTS = Table(
    "facts",
    METADATA,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)
"""journal: this journal's id. schema: the version by which it was written."""

_REFUSALS = {
    "sqlite": (
        "CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries "
        "BEGIN SELECT RAISE(ABORT, 'journal entries are never changed'); END",
        "CREATE TRIGGER entries_never_go BEFORE DELETE ON entries "
        "BEGIN SELECT RAISE(ABORT, 'journal entries are never deleted'); END",
        # Also stops INSERT OR REPLACE, which deletes without asking the trigger above.
        "CREATE TRIGGER entries_only_append BEFORE INSERT ON entries "
        "WHEN NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM entries) "
        "BEGIN SELECT RAISE(ABORT, 'journal entries are only appended'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION entries_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'journal entries are only appended'; END $$",
        "CREATE FUNCTION entries_follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM entries) THEN "
        "RAISE EXCEPTION 'journal entries are only appended'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER entries_never_change BEFORE UPDATE OR DELETE ON entries "
        "FOR EACH ROW EXECUTE FUNCTION entries_refuse()",
        "CREATE TRIGGER entries_never_go BEFORE TRUNCATE ON entries "
        "FOR EACH STATEMENT EXECUTE FUNCTION entries_refuse()",
        "CREATE TRIGGER entries_only_append BEFORE INSERT ON entries "
        "FOR EACH ROW EXECUTE FUNCTION entries_follow()",
    ),
}

TRIGGERS = frozenset({"entries_never_change", "entries_never_go", "entries_only_append"})

Migration = Callable[[Connection], None]

MIGRATIONS: tuple[Migration, ...] = ()
"""The step at index i takes a journal from schema i + 1 to i + 2. A released step never changes."""


def known_schema(migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """The newest schema that this program can read and write."""
    return 1 + len(migrations)


def is_empty(connection: Connection) -> bool:
    """Whether the database holds no table at all: a journal can be made in it."""
    return not inspect(connection).get_table_names()


def create(connection: Connection, schema: int) -> None:
    """Make an empty journal, in the caller's transaction."""
    METADATA.create_all(connection)
    for statement in _REFUSALS[connection.dialect.name]:
        connection.exec_driver_sql(statement)
    journal = secrets.token_hex(16)
    connection.execute(
        insert(FACTS),
        [{"name": "journal", "value": journal}, {"name": "schema", "value": str(schema)}],
    )
    connection.execute(insert(HEAD), [{"id": 1, "sequence": 0, "digest": genesis(journal)}])


def facts(connection: Connection) -> dict[str, str]:
    """The journal's id and schema. Raises ValueError if this is not a label journal."""
    if not {"entries", "head", "facts"} <= set(inspect(connection).get_table_names()):
        raise ValueError("it is a database, but not a label journal")
    found = {str(name): str(value) for name, value in connection.execute(select(FACTS))}
    if not found.get("journal") or not found.get("schema", "").isdecimal():
        raise ValueError("it does not say which journal it is")
    return found


def migrate(connection: Connection, schema: int, migrations: Sequence[Migration]) -> None:
    """Bring a journal from `schema` to the newest, in the caller's transaction."""
    for step in migrations[schema - 1 :]:
        step(connection)
    connection.execute(
        update(FACTS).where(FACTS.c.name == "schema").values(value=str(known_schema(migrations)))
    )
