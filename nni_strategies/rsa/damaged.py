"""What reading a damaged file of arrays raises: numpy, zipfile and its decompressors have no error in common."""

from __future__ import annotations

import lzma
import struct
import zlib
from zipfile import BadZipFile

DAMAGED: tuple[type[Exception], ...] = (
    OSError,
    ValueError,
    EOFError,
    BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    RuntimeError,  # encrypted; a compression that zipfile does not know is one of its kinds
    MemoryError,  # a shape of more than there is
    OverflowError,
    LookupError,
    SyntaxError,
    TypeError,
    AttributeError,  # bytes, where the array's own header is torn
)
