"""strangers - a server whose clients are strangers to it: they come from an address of this machine
that is not loopback, which no configuration trusts by itself."""

import socket

from harness import Server, Skip


def own_address():
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))    # sends nothing
        except OSError:
            raise Skip("no address but loopback") from None
        return probe.getsockname()[0]


def stranger_server(users=(), **sections):
    address = own_address()
    server = Server(**sections)
    server.address = address
    for role in server.ports:
        with socket.socket() as free:
            free.bind((address, 0))
            server.ports[role] = free.getsockname()[1]
    server.write_config()
    for user in users:
        server.add_user(user)
    return server
