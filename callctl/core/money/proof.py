"""Whether a book is what its entries say: checked entry by entry, in one pass, in flat memory."""

from callctl.core.money.chain import Entry, entry_hash


class BookProof:
    """Takes a book's entries in their order, each once; `problems` come as they are found."""

    def __init__(self) -> None:
        self.entries = 0
        self._seq = 0
        self._balance = 0
        self._hash = b""

    def check_entry(self, entry: Entry, stored_hash: bytes) -> list[str]:
        """What is wrong with the next entry; empty when nothing is.

        After a wrong hash the chain is followed from the stored one, so that one change is told
        once.
        """
        problems = []
        if entry.seq != self._seq + 1:
            problems.append(f"follows entry {self._seq}: something between them is missing")
        if entry.balance != self._balance + entry.amount:
            problems.append(
                f"balance {entry.balance} is not {self._balance} and {entry.amount} together"
            )
        if entry_hash(entry, self._hash) != stored_hash:
            problems.append("the hash is another: this entry, or the one before it, was changed")
        if (entry.entry_class, entry.source) == ("in", "system"):
            problems.append("is In and system, which never is")
        self.entries += 1
        self._seq, self._balance, self._hash = entry.seq, entry.balance, stored_hash
        return problems

    def check_end(self, last_seq: int, balance: int, last_hash: bytes) -> list[str]:
        """What the book itself says of its last entry, held against the entries."""
        problems = []
        if last_seq != self._seq:
            problems.append(f"its last entry is {last_seq}, but there are {self._seq}")
        if balance != self._balance:
            problems.append(f"its balance is {balance}, but its entries sum to {self._balance}")
        if last_hash != self._hash:
            problems.append("its last hash is not that of its last entry")
        return problems
