"""Opens many TCP connections with small windows. They send a request, read the head of its answer and nothing more.

    stalled_clients.py PORT COUNT MARK < requests

The input holds the bytes that each connection sends, in base64, one line per sending. Before each sending but the first, a connection
reads until MARK has arrived. Prints "stalled" when all have sent everything. Stays until its input is closed, when the program that
started it ends.
"""

import base64
import socket
import sys

PORT, COUNT, MARK = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
RECEIVE_BYTES = 4096
SEGMENT_BYTES = 536

sendings = []
for line in sys.stdin:
    if line.strip() == "":
        break
    sendings.append(base64.b64decode(line))


def stall():
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
    connection.connect(("127.0.0.1", PORT))
    for number, sending in enumerate(sendings):
        seen = b""
        while number > 0 and MARK not in seen:
            seen += connection.recv(1)
        connection.sendall(sending)
    return connection


connections = [stall() for _ in range(COUNT)]
for connection in connections:
    if connection.recv(1) == b"":
        sys.exit("a connection was closed")
print("stalled", flush=True)
sys.stdin.read()
