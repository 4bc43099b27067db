"""What http.client of Python makes of an agent: asks at HOST:PORT in several ways, and prints what it saw as JSON."""
import http.client
import json
import sys

host, port = sys.argv[1].split(":")
connection = http.client.HTTPConnection(host, int(port), timeout=20)
seen = {}
sockets = set()


def ask(name, method, target, **options):
    connection.request(method, target, headers={"Host": "reviews", **options.pop("headers", {})}, **options)
    sockets.add(connection.sock)
    response = connection.getresponse()
    body = response.read()
    seen[name] = {"status": response.status, "body": json.loads(body) if body else None}
    return response


def pieces():
    for _ in range(1_000):
        yield b"x" * 1_000


ask("get", "GET", "/a?b=c")
ask("post", "POST", "/", body=b"x" * 1_000_000)
ask("chunked", "POST", "/", body=pieces(), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
seen["head"] = ask("head", "HEAD", "/").getheader("content-length")
ask("answered in chunks", "GET", "/chunked")
seen["connections"] = len(sockets)
print(json.dumps(seen))
