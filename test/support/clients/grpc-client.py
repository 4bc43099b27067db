# A gRPC client without a sidecar, of gRPC's C core: see grpc-client.mjs.
import json
import sys
import threading
import time

import grpc

channels = {}
loads = {}
lock = threading.Lock()


def channel_of(target):
    with lock:
        if target not in channels:
            channels[target] = grpc.insecure_channel(target)
        return channels[target]


def call(command):
    method = channel_of(command["target"]).unary_unary(
        command["method"],
        request_serializer=lambda value: json.dumps(value).encode(),
        response_deserializer=json.loads,
    )
    timeout = command.get("timeoutMs", 10000) / 1000 or None
    metadata = list(command.get("headers", {}).items())
    ready = command.get("waitForReady", True)
    try:
        answer = method({}, timeout=timeout, metadata=metadata, wait_for_ready=ready)
        return {"code": 0, "peer": answer["instance"]}
    except grpc.RpcError as error:
        return {"code": error.code().value[0], "text": error.details()}


def add(counts, key):
    counts[key] = counts.get(key, 0) + 1


def count(total, outcome):
    with lock:
        add(total["codes"], outcome["code"])
        if "peer" in outcome:
            add(total["peers"], outcome["peer"])
        if "text" in outcome:
            add(total["texts"], outcome["text"])


def in_threads(number, work):
    threads = [threading.Thread(target=work, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads


def tally():
    return {"peers": {}, "codes": {}, "texts": {}}


def calls(command):
    total = tally()
    left = [command.get("times", 1)]

    def work():
        while True:
            with lock:
                if left[0] <= 0:
                    return
                left[0] -= 1
            count(total, call(command))

    for thread in in_threads(command.get("parallel", 1), work):
        thread.join()
    return total


def load(command):
    total = tally()
    over = threading.Event()

    def work():
        while not over.is_set():
            count(total, call(command))
            time.sleep(0.002)

    loads[command["name"]] = (over, in_threads(command.get("parallel", 2), work), total)
    return {}


def stop(command):
    over, threads, total = loads[command["name"]]
    over.set()
    for thread in threads:
        thread.join()
    return total


commands = {"calls": calls, "load": load, "stop": stop}


def answer(command):
    result = json.dumps({"id": command["id"], **commands[command["do"]](command)})
    with lock:
        print(result, flush=True)


for line in sys.stdin:
    # The answer to one command may wait for another.
    threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()
