"""What leads to what within an account's routing, and whether it ever leads back."""

from collections.abc import Iterator

from callctl.core.routing.model import AccountRouting, Chain, Destination, DestinationKind

_FORWARDS = ("forward_always", "forward_busy", "forward_no_answer", "forward_unavailable")


def chains_of(routing: AccountRouting) -> Iterator[tuple[Destination, str, Chain]]:
    """Every chain: the object that has it, its path in the document, the chain itself."""
    for place, extension in enumerate(routing.extensions):
        owner = Destination(DestinationKind.EXTENSION, extension.number)
        for name in _FORWARDS:
            yield owner, f"extensions[{place}].{name}", getattr(extension, name)
    for place, did in enumerate(routing.dids):
        owner = Destination(DestinationKind.DID, did.number)
        yield owner, f"dids[{place}].to", did.to
        yield owner, f"dids[{place}].closed", did.closed
        for i, rule in enumerate(did.callers):
            yield owner, f"dids[{place}].callers[{i}].to", rule.to
    for place, group in enumerate(routing.hunt_groups):
        owner = Destination(DestinationKind.HUNT_GROUP, group.name)
        yield owner, f"hunt_groups[{place}].then", group.then


def find_loops(routing: AccountRouting) -> Iterator[tuple[str, str]]:
    """(path, message) once per reference that closes a loop.

    Members of a hunt group are no references: their forwards do not apply while it rings them.
    Iterative, so that a chain of thousands of objects does not exhaust the stack.
    """
    edges: dict[Destination, list[tuple[str, Destination]]] = {}
    for owner, path, chain in chains_of(routing):
        places = edges.setdefault(owner, [])
        places.extend((f"{path}[{i}]", destination) for i, destination in enumerate(chain))
    done: set[Destination] = set()
    for start in edges:
        if start in done:
            continue
        trail = [start]
        on_trail = {start}
        pending = [iter(edges[start])]
        while pending:
            path, destination = next(pending[-1], ("", None))
            if destination is None:
                pending.pop()
                last = trail.pop()
                on_trail.discard(last)
                done.add(last)
            elif destination in on_trail:
                loop = [*trail[trail.index(destination) :], destination]
                yield path, "a loop: " + " -> ".join(str(d) for d in loop)
            elif destination in edges and destination not in done:
                trail.append(destination)
                on_trail.add(destination)
                pending.append(iter(edges[destination]))
