"""Who answers where, in a network namespace, for applications that know nothing of a mesh.

    probe.py serve NAME tcp/15001 udp/15053@::1 …   answers every connection and datagram with NAME:PORT, and with the
                                                address that was meant when the kernel has redirected it; a server of
                                                datagrams answers from the address that is asked only if that is given;
                                                kept/15001: the same on a connection that is kept, for each question
    probe.py dial                               reads a JSON list of {protocol, to, port, uid?, gid?, cgroup?, source?, from?} and
                                                writes what each was answered
"""
import errno
import ipaddress
import json
import os
import socket
import struct
import sys
import threading

SO_ORIGINAL_DST = 80


def original_destination(connection):
    try:
        if connection.family == socket.AF_INET:
            raw = connection.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
            port, packed = struct.unpack("!2xH4s8x", raw)
        else:
            raw = connection.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
            port, packed = struct.unpack("!2xH4x16s4x", raw)
    except OSError:
        return None
    return str(ipaddress.ip_address(packed)), port


def serve_tcp(name, listener, is_kept=False):
    while True:
        connection, _ = listener.accept()
        local = connection.getsockname()
        meant = original_destination(connection)
        answer = f"{name}:{local[1]}"
        if meant is not None and meant != (local[0], local[1]):
            answer += " for %s:%d" % (meant if ":" not in meant[0] else (f"[{meant[0]}]", meant[1]))
        if not is_kept:
            connection.sendall(answer.encode())
            connection.close()
        else:
            threading.Thread(target=answer_each, args=(connection, answer), daemon=True).start()


def answer_each(connection, answer):
    try:
        while connection.recv(2048):
            connection.sendall(answer.encode())
    except OSError:
        pass
    connection.close()


def serve_kept(name, listener):
    serve_tcp(name, listener, is_kept=True)


def serve_udp(name, listener):
    while True:
        _, caller = listener.recvfrom(2048)
        listener.sendto(f"{name}:{listener.getsockname()[1]}".encode(), caller)


def serve(name, places):
    for place in places:
        protocol, rest = place.split("/")
        port, _, address = rest.partition("@")
        loop = {"tcp": serve_tcp, "kept": serve_kept, "udp": serve_udp}[protocol]
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        for at in [address] if address else ["0.0.0.0", "::"]:
            listener = socket.socket(socket.AF_INET6 if ":" in at else socket.AF_INET, kind)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if listener.family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((at, int(port)))
            if protocol != "udp":
                listener.listen(64)
            threading.Thread(target=loop, args=(name, listener), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


def dial(wish):
    family = socket.AF_INET6 if ":" in wish["to"] else socket.AF_INET
    is_tcp = wish["protocol"] == "tcp"
    if "cgroup" in wish:
        with open(os.path.join(wish["cgroup"], "cgroup.procs"), "w") as procs:
            procs.write(str(os.getpid()))
    # The kernel asks for the user that made the socket.
    os.setegid(wish.get("gid", 65534))
    os.seteuid(wish.get("uid", 65534))
    try:
        with socket.socket(family, socket.SOCK_STREAM if is_tcp else socket.SOCK_DGRAM) as connection:
            connection.settimeout(2)
            if "from" in wish or "source" in wish:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                connection.bind((wish.get("source", ""), wish.get("from", 0)))
            # Resolves the scope of a link-local address.
            [(_, _, _, _, address)] = socket.getaddrinfo(wish["to"], wish["port"], family, connection.type)
            connection.connect(address)
            if not is_tcp:
                connection.send(b"?")
            return connection.recv(2048).decode()
    except socket.timeout:
        return "nobody answers"
    except OSError as error:
        return errno.errorcode[error.errno]
    finally:
        os.seteuid(0)
        os.setegid(0)


if sys.argv[1] == "serve":
    serve(sys.argv[2], sys.argv[3:])
else:
    print(json.dumps([dial(wish) for wish in json.load(sys.stdin)]))
