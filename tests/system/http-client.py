#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What clients of varta-exporter do, well or badly, from inside the rig: one request on the command line as JSON, one answer.

    {"do": "get", "method": "GET", "path": "/metrics", "headers": {}}          -> status, headers, body
    {"do": "raw", "hex": "...", "repeat": 1, "close": false}                   -> the raw answer
    {"do": "slow", "connections": 10, "hex": "...", "every": 0.2}              -> seconds until each was ended
    {"do": "storm", "connections": 100, "seconds": 2}                          -> statuses, and the times that requests took
"""

import collections
import http.client
import json
import socket
import sys
import threading
import time

ADDRESS = ("127.0.0.1", 9674)


def get(request):
    connection = http.client.HTTPConnection(ADDRESS[0], request.get("port", ADDRESS[1]), timeout=request.get("timeout", 10))
    connection.request(request.get("method", "GET"), request.get("path", "/metrics"), headers=request.get("headers", {}))
    answer = connection.getresponse()
    return {"status": answer.status, "headers": {k.lower(): v for k, v in answer.getheaders()}, "body": answer.read().decode()}


def read_all(connection):
    answer = b""
    try:
        while chunk := connection.recv(65536):
            answer += chunk
    except OSError:
        pass
    return answer


def raw(request):
    data = bytes.fromhex(request["hex"])
    with socket.create_connection(ADDRESS, timeout=15) as connection:
        try:
            for _ in range(request.get("repeat", 1)):
                connection.sendall(data)
            if request.get("close"):
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return {"answer": read_all(connection).decode("latin-1")}


def slow(request):
    """Sends one byte at a time on every connection until the other side has had enough of it."""
    data = bytes.fromhex(request["hex"])
    started = time.monotonic()
    connections = {socket.create_connection(ADDRESS, timeout=5): 0 for _ in range(request["connections"])}
    ended = []
    while connections and time.monotonic() < started + request.get("seconds", 20):
        for connection, sent in list(connections.items()):
            try:
                connection.setblocking(False)
                if not connection.recv(65536):
                    raise ConnectionResetError
            except BlockingIOError:
                pass
            except OSError:
                ended.append(time.monotonic() - started)
                del connections[connection]
                connection.close()
                continue
            try:
                connection.send(data[sent % len(data):][:1])
                connections[connection] = sent + 1
            except OSError:
                pass
        time.sleep(request.get("every", 0.2))
    return {"ended": ended, "left": len(connections)}


def storm(request):
    statuses, times, until = collections.Counter(), [], time.monotonic() + request["seconds"]
    lock = threading.Lock()

    def scrape():
        while time.monotonic() < until:
            before = time.monotonic()
            try:
                status = get({"timeout": 30})["status"]
            except (OSError, http.client.HTTPException) as error:
                status = type(error).__name__
            with lock:
                statuses[str(status)] += 1
                times.append(time.monotonic() - before)

    threads = [threading.Thread(target=scrape) for _ in range(request["connections"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    return {"statuses": statuses, "median": times[len(times) // 2], "worst": times[-1]}


def main():
    request = json.loads(sys.argv[1])
    print(json.dumps({"get": get, "raw": raw, "slow": slow, "storm": storm}[request.pop("do")](request)))


if __name__ == "__main__":
    main()
