"""A crowd at a TCP door, as a program of its own: ``python crowd.py KIND HOST PORT COUNT SECONDS``.

``silent`` and ``dribble`` keep COUNT connections open for SECONDS: one that the server closes is
opened again at once; ``dribble`` sends each a byte of a plausible head every half second.
``churn`` connects and closes, COUNT times a second if the machine gives that. Prints a line when
it is at full strength, and a line of JSON at the end. Connections come from addresses
127.0.10.200 and on, so that none waits for a free port.
"""

import contextlib
import errno
import itertools
import json
import resource
import selectors
import socket
import sys
import time

SOURCES = [f"127.0.10.{n}" for n in range(200, 220)]
HEAD = b"agi_network: yes\nagi_request: agi://127.0.0.1/route\nagi_x: " + b"y" * 4096
BATCH = 200
"""So many are opened before answers are looked at."""


class Crowd:
    def __init__(self, host: str, port: int) -> None:
        self.place = (host, port)
        self.selector = selectors.DefaultSelector()
        self.sources = itertools.cycle(SOURCES)
        self.sent: dict[socket.socket, int] = {}
        self.opened = self.refused = self.put_out = 0

    def open(self) -> socket.socket | None:
        made = socket.socket()
        made.setblocking(False)
        made.bind((next(self.sources), 0))
        code = made.connect_ex(self.place)
        if code not in (0, errno.EINPROGRESS):
            self.refused += 1
            made.close()
            return None
        self.opened += 1
        return made

    def hold(self, count: int, seconds: float, dribble: bool) -> None:
        began = time.monotonic()
        next_drop = began
        full = False
        while (now := time.monotonic()) < began + seconds:
            for _ in range(min(BATCH, count - len(self.sent))):
                if made := self.open():
                    self.sent[made] = 0
                    self.selector.register(made, selectors.EVENT_READ)
            if self.opened >= count and not full:
                full = True
                print("full", flush=True)
            for key, _ in self.selector.select(0.02):
                assert isinstance(key.fileobj, socket.socket)
                self._read(key.fileobj)
            if dribble and now >= next_drop:
                next_drop = now + 0.5
                for connection, sent in list(self.sent.items()):
                    self._drop(connection, sent)

    def _read(self, connection: socket.socket) -> None:
        try:
            if connection.recv(4096):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._put_out(connection)

    def _drop(self, connection: socket.socket, sent: int) -> None:
        try:
            connection.send(HEAD[sent : sent + 1])
            self.sent[connection] += 1
        except BlockingIOError:
            return
        except OSError:
            self._put_out(connection)

    def _put_out(self, connection: socket.socket) -> None:
        self.put_out += 1
        self.selector.unregister(connection)
        del self.sent[connection]
        connection.close()

    def churn(self, rate: int, seconds: float) -> None:
        began = time.monotonic()
        print("full", flush=True)
        done = 0
        while (passed := time.monotonic() - began) < seconds:
            while done < rate * passed and time.monotonic() - began < seconds:
                done += 1
                made = socket.socket()
                with contextlib.suppress(OSError), made:
                    made.settimeout(1.0)
                    made.bind((next(self.sources), 0))
                    made.connect(self.place)
                    self.opened += 1
            time.sleep(0.001)


def main() -> None:
    kind, host, port, count, seconds = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))
    crowd = Crowd(host, int(port))
    began = time.monotonic()
    if kind == "churn":
        crowd.churn(int(count), float(seconds))
    else:
        crowd.hold(int(count), float(seconds), kind == "dribble")
    took = time.monotonic() - began
    told = {"opened": crowd.opened, "refused": crowd.refused, "put_out": crowd.put_out}
    print(json.dumps({**told, "per_second": round(crowd.opened / took)}), flush=True)


if __name__ == "__main__":
    main()
