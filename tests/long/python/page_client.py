"""A small asyncio client for the wire at /ws, written from PROTOCOL.md alone.

`Client` keeps one connection. If that breaks, it reconnects, resumes its requests and follows its conversations again.
A `Request` holds all that has come of one request. `Client.follow` hands out a Request for each turn of a conversation.
"""
import asyncio
import json
import random
import re
import types
import uuid

import websockets

FINAL_CLOSES = {1002, 1007, 1008, 1009, 4401}  # after any other close, and after a break, a client comes back
FINAL_STATUSES = {400, 401, 403, 404, 405, 426, 431}
TRIES = 6


class Failed(Exception):
    """A frame was refused (the server's message is the second argument), or the connection is not worth another try."""


def pause(tries_before, asked_ms=None):
    """Seconds until the next try: what the server asked for, else 0.5 doubled each time, up to 15, shortened at random."""
    return min(asked_ms / 1000, 600) if asked_ms is not None else min(0.5 * 2**tries_before, 15) * random.uniform(0.5, 1)


def new_frame(kind, data):
    return {"type": kind, "id": str(uuid.uuid4()), "data": data}


class Request:
    def __init__(self, request_id, frame=None):
        self.id, self.frame = request_id, frame
        self.last_seq, self.in_row, self.repeats = 0, True, 0
        self.lanes = {}  # the result of each persona of a multi_chat
        self.conversation_id = self.end = self.failure = None
        self._pieces, self.news = {}, asyncio.Event()

    @property
    def texts(self):
        texts = {lane: "".join(pieces) for lane, pieces in self._pieces.items()}
        return {lane: outcome["response"] for lane, outcome in self.lanes.items()} | texts  # `stream: false` has no pieces

    @property
    def text(self):
        return "".join(self.texts.values())

    def take(self, message):
        kind, seq, lane = message["type"], message.get("seq"), message.get("persona_id", "")
        if seq is not None and seq <= self.last_seq:
            self.repeats += 1
            return
        if seq is not None:
            self.in_row = self.in_row and seq == self.last_seq + 1
            self.last_seq = seq
        if kind == "status":
            self.conversation_id = message.get("conversation_id", self.conversation_id)
        elif kind == "chunk":
            self._pieces.setdefault(lane, []).append(message["chunk"])
        elif kind == "persona_response":
            self.lanes[lane] = message
        elif kind == "reset":
            self.end = None  # it begins another attempt after a failure
            if seq is None:  # it stands for all that is no longer in the log
                self._pieces, self.lanes, self.last_seq = {}, {}, message["through_seq"]
            for shown in message["lanes"]:
                self._pieces[shown.get("persona_id", "")] = [shown["text"]]
                self.lanes.pop(shown.get("persona_id", ""), None)
        elif kind in ("response", "error"):
            self.end = message
        self.news.set()

    async def ended(self, or_chunks=float("inf")):
        """Waits for the message that ends the request and returns it; or until so many chunks came."""
        while not (self.end or self.failure or sum(map(len, self._pieces.values())) >= or_chunks):
            self.news.clear()
            await self.news.wait()
        if self.failure and not self.end:
            raise self.failure
        return self.end


class Client:
    def __init__(self, url):
        self.url = url
        self.connections = self.received = self.largest = 0
        self._requests, self._conversations, self._parts = {}, {}, {}
        self._calls = {}  # by id: frames that have no reply yet, each with the future of its reply
        self._socket = self._failure = None
        self.connect()

    def connect(self):
        self._runner = asyncio.create_task(self._run())

    def cut(self, come_back=True):
        """Breaks the TCP connection without a close."""
        if not come_back:
            self._runner.cancel()
        self._socket.transport.abort()

    async def close(self):
        self._runner.cancel()
        if self._socket:
            await self._socket.close()

    async def ask(self, kind, data):
        """Sends a request; its answer is collected in the Request that is returned."""
        frame = new_frame(kind, data)
        request = self._requests[frame["id"]] = Request(frame["id"], frame)
        await self._send(frame)
        return request

    async def retry(self, request):
        """Asks again, under the same id, what has ended with a retryable error."""
        error, request.end = request.end, None
        if "seq" in error:  # else nothing of it was stored, or the same frame attaches to it
            request.frame["data"]["retry"] = error["seq"]
        await self._send(request.frame)

    async def call(self, kind, **data):
        """Sends a cancel, resume, follow, unfollow or ping, again with each new connection, until it has its reply."""
        frame, reply = new_frame(kind, data), asyncio.get_running_loop().create_future()
        self._calls[frame["id"]] = frame, reply
        await self._send(frame)
        message = await reply
        if message["type"] == "error":
            raise Failed(message["message"], message)
        return message

    async def follow(self, conversation_id, after=None):
        """Follows a conversation, each turn a Request in `turns`; after "": from its first turn; after None: from now on."""
        conversation = types.SimpleNamespace(id=conversation_id, position=after, turns=asyncio.Queue(), followed=False)
        self._conversations[conversation_id] = conversation
        reply = await self.call("follow", conversation_id=conversation_id, after=after)
        if conversation.position is None:
            conversation.position = reply.get("last_request_id")
        conversation.followed = True
        return conversation

    async def unfollow(self, conversation):
        self._conversations.pop(conversation.id, None)
        return await self.call("unfollow", conversation_id=conversation.id)

    async def _send(self, *frames):
        if self._failure:
            raise self._failure
        try:
            for frame in frames if self._socket else []:
                await self._socket.send(json.dumps(frame))
        except websockets.ConnectionClosed:
            pass  # the next connection sends all open frames

    async def _run(self):
        failed = 0
        try:
            while True:
                before, asked_ms = self.received, None
                try:
                    self._socket = await websockets.connect(self.url)
                    await self._serve()
                    code, reason = self._socket.close_code, self._socket.close_reason or ""
                    sentence, final = f"The server closed with {code} {reason}", code in FINAL_CLOSES
                    if asked := re.search(r" retry_after_ms=(\d+)$", reason):
                        asked_ms = int(asked[1])
                except websockets.InvalidStatusCode as refusal:
                    sentence, final = str(refusal), refusal.status_code in FINAL_STATUSES
                    if (seconds := refusal.headers.get("Retry-After", "")).isdigit():
                        asked_ms = int(seconds) * 1000
                except (OSError, asyncio.TimeoutError, websockets.InvalidHandshake) as problem:
                    sentence, final = f"No connection came about: {problem}", False
                self._socket, failed = None, 0 if self.received > before else failed
                if final or failed + 1 >= TRIES:
                    raise Failed(sentence)
                await asyncio.sleep(pause(failed, asked_ms))
                failed += 1
        except Exception as problem:
            self._failure = problem
            for request in self._requests.values():
                request.failure = problem
                request.news.set()
            for _, reply in self._calls.values():
                reply.set_exception(problem)

    async def _serve(self):
        self.connections += 1
        self._parts.clear()
        await self._send(*self._open_frames())
        try:
            async for text in self._socket:
                self._receive(text)
        except websockets.ConnectionClosed:
            pass

    def _open_frames(self):
        """The frames that take up everything on a new connection."""
        followed = [c for c in self._conversations.values() if c.followed]
        positions = {c.position for c in followed}
        frames = []
        for request in self._requests.values():
            is_open, frame = not (request.end or request.failure), request.frame
            if is_open and frame and request.last_seq == frame["data"].get("retry", 0):
                frames.append(frame)  # nothing came of it yet: sent again, it attaches if it had arrived
            elif not frame and request.id in positions:
                pass  # `after_seq` below asks for the rest of it
            elif is_open or not frame and request.end and request.end.get("retryable"):  # its asker may have retried it
                frames.append(new_frame("resume", {"request_id": request.id, "after_seq": request.last_seq}))
        # The follows come after the resumes, so that resumed turns go on where they are.
        frames += [new_frame("follow", self._place_of(c)) for c in followed]
        return frames + [frame for frame, _ in self._calls.values()]

    def _place_of(self, conversation):
        """The last request and the last number of it that came through a followed conversation."""
        last = self._requests.get(conversation.position)
        place = {"conversation_id": conversation.id, "after": conversation.position}
        return {**place, "after_seq": last.last_seq} if last and not last.frame else place

    def _receive(self, text):
        self.received += 1
        self.largest = max(self.largest, len(text.encode()))
        message = json.loads(text)
        kind, request_id = message["type"], message.get("request_id")
        if kind == "part":
            self._parts.setdefault(request_id, []).append(message["json"])
            return
        if "in_parts" in message:
            message = json.loads("".join(self._parts.pop(request_id)[-message["in_parts"]:]))
        refused = message.get("in_reply_to", {})
        _, reply = self._calls.pop(message.get("id") or refused.get("id"), (None, None))
        request = self._requests.get(request_id or refused.get("id"))
        conversation = self._conversations.get(message.get("conversation_id"))
        if reply:
            reply.set_result(message)
        elif kind == "question" and conversation:
            conversation.position = request_id
            if not request:
                self._requests[request_id] = Request(request_id)
                conversation.turns.put_nowait(self._requests[request_id])
        elif refused.get("type") == "follow":
            raise Failed(message["message"], message)
        elif refused.get("type") == "resume" and request:
            request.failure = Failed(message["message"], message)
            request.news.set()
        elif request and refused.get("type") in (None, request.frame and request.frame["type"]):
            request.take(message)
