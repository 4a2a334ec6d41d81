"""Memory that is free, but still the process's."""

import ctypes


def release_memory() -> None:
    """Give freed memory back to the system, where the C library can (glibc, malloc_trim(3)).

    To be called after something large was built and dropped: the allocator keeps what is free
    between what is used for ever. Takes milliseconds; other threads run on.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
