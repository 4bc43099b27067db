"""Connections of an application that keeps them open.

    held.py                                     reads a line of JSON, a list of {to, port, uid?, source?}, opens these connections and
                                                writes `held`; then for each line that it reads asks on all of them, and
                                                writes what each was answered, or the name of its error; ends with its input
"""
import errno
import json
import os
import socket
import sys


def open_connection(wish):
    os.seteuid(wish.get("uid", 65534))
    try:
        connection = socket.socket(socket.AF_INET6 if ":" in wish["to"] else socket.AF_INET, socket.SOCK_STREAM)
        connection.settimeout(2)
        if "source" in wish:
            connection.bind((wish["source"], 0))
        connection.connect((wish["to"], wish["port"]))
        return connection
    finally:
        os.seteuid(0)


def ask(connection):
    try:
        connection.sendall(b"?")
        return connection.recv(2048).decode() or "ended"
    except socket.timeout:
        return "nobody answers"
    except OSError as error:
        return errno.errorcode[error.errno]


held = [open_connection(wish) for wish in json.loads(sys.stdin.readline())]
print("held", flush=True)
for _ in sys.stdin:
    print(json.dumps([ask(connection) for connection in held]), flush=True)
