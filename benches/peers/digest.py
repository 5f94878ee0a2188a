"""A digest of rows that does not depend on their order, on batches, or on how a peer lays out text.

Every value becomes 64 bits (a number its bits, a text a sum over its bytes and their positions, a null a constant), every row a mix of its
columns, and rows are added up. So digests are equal exactly when there are the same rows with the same bits in the same columns, as often.
A second digest leaves floats out, whose sums stand beside it: for a peer that computes floats in another way.

This file must not know who made the rows.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_NULL = np.uint64(0x9E37_79B9_7F4A_7C15)
_ROWS = 1 << 17


def _mix(words):
    words = words ^ (words >> np.uint64(30))
    words = words * np.uint64(0xBF58_476D_1CE4_E5B9)
    words = words ^ (words >> np.uint64(27))
    words = words * np.uint64(0x94D0_49BB_1331_11EB)
    return words ^ (words >> np.uint64(31))


def _texts(array):
    array = array.cast(pa.large_binary())
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    if offsets[0] == offsets[-1]:
        return np.zeros(len(array), dtype=np.uint64)
    data = np.frombuffer(array.buffers()[2], dtype=np.uint8)[offsets[0] : offsets[-1]]
    sizes = np.diff(offsets)
    places = np.arange(len(data), dtype=np.uint64) - np.repeat(offsets[:-1] - offsets[0], sizes).astype(np.uint64)
    parts = (data.astype(np.uint64) + np.uint64(1)) * _mix(places + np.uint64(1))
    # Sums from the start of each text on; empty ones have none.
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(parts, dtype=np.uint64)])
    ends = offsets - offsets[0]
    return sums[ends[1:]] - sums[ends[:-1]] + sizes.astype(np.uint64)


def _words(array):
    ty = array.type
    if pa.types.is_string(ty) or pa.types.is_large_string(ty) or pa.types.is_string_view(ty) or pa.types.is_binary(ty):
        words = _texts(pc.fill_null(array.cast(pa.large_binary()), b""))
    elif pa.types.is_floating(ty):
        words = pc.fill_null(array, 0.0).to_numpy(zero_copy_only=False).astype(np.float64).view(np.uint64)
    elif pa.types.is_boolean(ty):
        words = pc.fill_null(array, False).to_numpy(zero_copy_only=False).astype(np.uint64)
    else:
        if pa.types.is_timestamp(ty):
            array = array.cast(pa.timestamp("us", tz=ty.tz)).cast(pa.int64())
        words = pc.fill_null(array.cast(pa.int64()), 0).to_numpy(zero_copy_only=False).view(np.uint64)
    words = _mix(words + np.uint64(1))
    if array.null_count:
        words = np.where(array.is_null().to_numpy(zero_copy_only=False), _NULL, words)
    return words


class Digest:
    """Of all rows so far."""

    def __init__(self):
        self.rows = 0
        self.sum = np.uint64(0)
        self.sum_without_floats = np.uint64(0)
        self.float_sums = {}

    def add(self, batch):
        """Adds a record batch."""
        with np.errstate(over="ignore"):
            for start in range(0, batch.num_rows, _ROWS):
                part = batch.slice(start, _ROWS)
                row = np.zeros(part.num_rows, dtype=np.uint64)
                without = row
                for position, column in enumerate(part.columns):
                    words = _words(column)
                    row = _mix(row * np.uint64(3) + words)
                    if pa.types.is_floating(column.type):
                        total = pc.sum(column).as_py() or 0.0
                        self.float_sums[position] = self.float_sums.get(position, 0.0) + total
                    else:
                        without = _mix(without * np.uint64(3) + words)
                self.rows += part.num_rows
                self.sum += row.sum(dtype=np.uint64)
                self.sum_without_floats += without.sum(dtype=np.uint64)

    def data(self):
        """As plain data."""
        return {
            "rows": self.rows,
            "exact": f"{int(self.sum):016x}",
            "without floats": f"{int(self.sum_without_floats):016x}",
            "float sums": [self.float_sums[position] for position in sorted(self.float_sums)],
        }


def difference(one, other):
    """Of two digests as data: None where the rows are equal, "last bits" where floats differ by no more than rounding, else "rows"."""
    if one == other or (one["rows"], one["exact"]) == (other["rows"], other["exact"]):
        return None
    same = one["rows"] == other["rows"] and one["without floats"] == other["without floats"]
    sums = zip(one["float sums"], other["float sums"], strict=True) if same else ()
    return "last bits" if same and all(abs(a - b) <= 1e-12 * max(abs(a), abs(b)) for a, b in sums) else "rows"
