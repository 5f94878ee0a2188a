"""What is compared: a file of messages, the columns that are read of them, and what is computed.

Each case says its columns once; the ways in which peers want to be told a schema follow from that. Expressions are written for each peer
in its own functions, chosen for speed: `lower` of ASCII alone where a peer has it, a cast where a time is a number already.

This file must not know how peers are called.
"""

INT, FLOAT, BOOL, TEXT, TEXT_OR_NULL = "int", "float", "bool", "text", "text or null"


class Case:
    """One line of the table for each peer."""

    def __init__(self, name, shape, schema, columns, expressions=None):
        self.name = name
        self.shape = shape
        self.schema = schema
        self.columns = columns
        self.expressions = expressions

    @property
    def package(self):
        return f"packages/{self.name}.chalk"


_USER = {"id": INT, "name": TEXT, "updated_at": INT, "contact_info": {"email_address": TEXT_OR_NULL}}
_TRANSACTION = {
    "transaction_id": TEXT,
    "user_id": INT,
    "amount": FLOAT,
    "merchant": TEXT,
    "location": {"country": TEXT},
    "at": INT,
}
_WIDE = {"event_id": INT, "session_id": TEXT, "page_url": TEXT, "cart_value": FLOAT, "is_member": BOOL, "received_at": INT}

_AGE = "case when updated_at > 1600000000000000 then (1800000000000000 - updated_at) / 86400000000.0 else -1.0 end"

CASES = [
    Case(
        "user",
        "user",
        _USER,
        ["user_id", "full_name", "email_address", "updated_at", "age_days"],
        expressions={
            "duckdb": [
                "id + 1000",
                "trim(name)",
                "lower(contact_info.email_address)",
                "make_timestamp(updated_at)",
                # A decimal literal would make decimals of this.
                _AGE.replace("86400000000.0", "86400000000::double").replace("-1.0", "-1.0::double"),
            ],
            "chdb": [
                "id + 1000",
                "trim(name)",
                "lower(contact_info.email_address)",
                "fromUnixTimestamp64Micro(updated_at, 'UTC')",
                _AGE,
            ],
            "datafusion": [
                "id + 1000",
                "btrim(name)",
                "lower(contact_info['email_address'])",
                "to_timestamp_micros(updated_at)",
                _AGE.replace("(1800000000000000 - updated_at)", "cast(1800000000000000 - updated_at as double)"),
            ],
            "polars": lambda pl: [
                pl.col("id") + 1000,
                pl.col("name").str.strip_chars(),
                pl.col("contact_info").struct.field("email_address").str.to_lowercase(),
                pl.col("updated_at").cast(pl.Datetime("us", "UTC")),
                pl.when(pl.col("updated_at") > 1600000000000000)
                .then((1800000000000000 - pl.col("updated_at")) / 86400000000)
                .otherwise(-1.0),
            ],
        },
    ),
    Case("user_columns", "user", _USER, ["id", "name", "updated_at", "email_address"]),
    Case("transaction", "transaction", _TRANSACTION, ["transaction_id", "user_id", "amount", "merchant", "country", "at"]),
    Case("wide", "wide", _WIDE, ["event_id", "session_id", "page_url", "cart_value", "is_member", "received_at"]),
]


def leaves(schema):
    """The paths of the columns, in order."""
    for name, ty in schema.items():
        if isinstance(ty, dict):
            yield from ((name, *rest) for rest in leaves(ty))
        else:
            yield (name,)


def sql(case, peer, member=lambda path: ".".join(f'"{key}"' for key in path)):
    """What a peer selects; `member` writes a path, whose names may be words of SQL."""
    expressions = case.expressions[peer] if case.expressions else [member(path) for path in leaves(case.schema)]
    # Names of their own: an alias must not hide the column that another expression reads.
    return ", ".join(f'{expression} as "out_{name}"' for expression, name in zip(expressions, case.columns))
