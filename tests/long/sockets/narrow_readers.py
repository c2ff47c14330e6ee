"""Opens many WebSockets with small windows. They stop reading in the middle of an answer and go on when they are told to.

Node can set neither a socket's receive buffer nor its segment size. On the loopback the system would otherwise buffer megabytes per
socket, and no server would notice a client that does not read.

    narrow_readers.py PORT COUNT PLAN

PLAN is the JSON of a question. Each socket adds its own name.

Prints "stalled" when all sockets have read the first chunk of their answer. A line on the input lets every second
socket read on, and the next line the others. Prints one line of JSON for each request when its answer is over.
"""

import asyncio
import base64
import json
import os
import socket
import struct
import sys

PORT, COUNT = int(sys.argv[1]), int(sys.argv[2])
PLAN = json.loads(sys.argv[3])
RECEIVE_BYTES = 4096
SEGMENT_BYTES = 536


class Ended(Exception):
    """The connection is over."""


class Reader:
    """One socket. Its frames are read one after the other, only on demand."""

    def __init__(self):
        self.bytes = b""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
        self.socket.setblocking(False)

    async def more(self):
        try:
            received = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
        except OSError as error:
            raise Ended from error
        if not received:
            raise Ended
        self.bytes += received

    async def open(self):
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, ("127.0.0.1", PORT))
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /ws HTTP/1.1",
            "Host: 127.0.0.1",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
        ]
        await loop.sock_sendall(self.socket, ("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.bytes:
            await self.more()
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101"):
            raise RuntimeError(head.decode())

    async def send(self, message):
        payload = json.dumps(message).encode()
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else struct.pack("!BH", 0x80 | 126, len(payload))
        # The mask 0 leaves the payload as it is.
        await asyncio.get_running_loop().sock_sendall(self.socket, b"\x81" + length + bytes(4) + payload)

    async def message(self):
        """The next message. Pings get no answer, as from a client that does not read."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 8:
                raise Ended
            if opcode == 1:
                return json.loads(payload)

    async def frame(self):
        await self.until(2)
        start, length = 2, self.bytes[1] & 0x7F
        if length > 125:
            start = 4 if length == 126 else 10
            await self.until(start)
            length = int.from_bytes(self.bytes[2:start], "big")
        await self.until(start + length)
        opcode, payload = self.bytes[0] & 0x0F, self.bytes[start : start + length]
        self.bytes = self.bytes[start + length :]
        return opcode, payload

    async def until(self, count):
        while len(self.bytes) < count:
            await self.more()


async def read_answer(number, stalled, go):
    name = f"n{number}"
    seqs, chunks, end, came_back = [], [], None, 0
    reader = Reader()
    await reader.open()
    question = json.dumps({"name": name, **PLAN})
    data = {"input_text": question, "pacing": {"mode": "raw"}}
    await reader.send({"type": "openai_chat", "id": name, "data": data})
    while end is None:
        try:
            message = await reader.message()
        except Ended:
            reader.socket.close()
            came_back += 1
            reader = Reader()
            await reader.open()
            await reader.send({"type": "resume", "data": {"request_id": name, "after_seq": len(seqs)}})
            continue
        if "seq" not in message:
            continue
        seqs.append(message["seq"])
        if message["type"] == "chunk":
            chunks.append(message["chunk"])
            if len(chunks) == 1:
                stalled.release()
                await go.wait()
        elif message["type"] in ("response", "error"):
            end = message.get("status") or message.get("code")
    reader.socket.close()
    answer = {"name": name, "seqs": seqs, "text": "".join(chunks), "end": end, "cameBack": came_back}
    print(json.dumps(answer), flush=True)


async def main():
    stalled = asyncio.Semaphore(0)
    signals = [asyncio.Event(), asyncio.Event()]
    answers = []
    for number in range(COUNT):
        answers.append(asyncio.create_task(read_answer(number, stalled, signals[number % 2])))
        # The queue of connections waiting to be accepted is short, and a slow handshake is cut.
        if number % 50 == 49:
            await asyncio.sleep(0.25)
    for _ in range(COUNT):
        await stalled.acquire()
    print("stalled", flush=True)
    for signal in signals:
        await asyncio.to_thread(sys.stdin.readline)
        signal.set()
    await asyncio.gather(*answers)


asyncio.run(main())
