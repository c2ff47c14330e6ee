"""Test client for Troupe's WebSocket: a small library and a command line. Needs Python 3.9 and `websockets`.
Without arguments it makes a tour of the three types of requests; `--help` tells what else it does.

    async with TroupeClient("ws://localhost:8000/ws") as client:
        async for message in client.request("openai_chat", {"input_text": "Hello, world!"}):
            print(message)
"""
from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import json
import os
import random
import signal
import sys
import uuid
from typing import Any, AsyncIterator, Callable, Dict, TextIO
from urllib.parse import urlsplit
try:
    import websockets
    from websockets.exceptions import ConnectionClosed, WebSocketException
except ModuleNotFoundError:
    if __name__ != "__main__":
        raise
    sys.exit(f"The package websockets is missing: {sys.executable} -m pip install 'websockets>=10.4,<16'")

Message = Dict[str, Any]
CONNECT_ATTEMPTS = 10  # in a row after a drop: about 40 s
FINAL_CLOSE_CODES = {1000, 1002, 1003, 1007, 1008, 1009, 1010, 4401}  # connecting again would not help
REFUSALS = {0: ("unauthenticated", "needs a key: give one by --key or TROUPE_KEY"),
            401: ("unauthenticated", "does not accept this key"),
            403: ("forbidden", "lets nobody in this way; its log says why")}
FACTS = ("id", "model", "conversation_id", "outcome", "finish_reason", "usage", "error", "cancel", "simulated")
TERMINAL_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)))
DEFAULTS: Message = {"url": "ws://localhost:8000/ws", "key": None, "raw": False, "id": None, "named": True, "kind": None,
                     "retries": 0}
CAST = ["tech_enthusiast", "creative_writer", "data_scientist"]
TOUR: list[tuple[str, Message]] = [
    ("openai_chat", {"input_text": "Hello, world!"}),
    ("chat", {"message": "What's your favorite programming language?", "persona_id": CAST[0]}),
    ("multi_chat", {"message": "What do you think about AI?", "persona_ids": CAST}),
]


class TroupeError(Exception):
    """A failure: the server's code or, from this side, one of REFUSALS, `unreachable`, `disconnected`, `sequence_gap`.
    `seq` is the number of the error that ended a request (what `retry` takes), `retry_after_s` the wait before that."""

    def __init__(self, code: str, message: str, retryable: bool, seq: int = 0, retry_after_s: float = 0) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.retryable, self.seq, self.retry_after_s = code, message, retryable, seq, retry_after_s


class TroupeClient:
    """One connection and one request at a time on it (others wait); after a drop it connects again and resumes.
    `key` is a caller's key; `notify` hears of drops and returns, a sentence each."""

    def __init__(self, url: str, notify: Callable[[str], object] = lambda _: None, key: str | None = None) -> None:
        self._url, self._notify, self._key = url, notify, key
        self.request_id: str | None = None  # of the latest request, as soon as it is known
        self._attempts = 0  # to connect, since the last message
        self._cancels: list[Message] = []  # of the present request: a drop may swallow them

    async def __aenter__(self) -> TroupeClient:
        self._busy = asyncio.Lock()
        self._socket = await self._connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()

    async def request(self, kind: str, data: Message, id: str | None = None, *,
                      named: bool = True, retry: int = 0) -> AsyncIterator[Message]:
        """Sends a request, under a new UUID where no `id` is given and under none with `named=False`, and yields its
        messages, each once, in order, up to the `response`; an `error` is yielded and then raised as TroupeError.
        A retryable one runs again under its `id` with `retry` as the error's `seq`; where that is 0 it is sent again as it is."""
        async with self._busy:
            self.request_id = (id or str(uuid.uuid4())) if named else None
            frame: Message = {"type": kind, "data": {**data, "retry": retry} if retry else data,
                              **({"id": self.request_id} if named else {})}
            seq, self._cancels = retry, []
            await self._send(frame)
            while True:
                try:
                    message = self._whole(json.loads(await self._socket.recv()))
                except ConnectionClosed as closed:
                    await self._reconnect(closed)
                    place = {"request_id": self.request_id, "after_seq": seq}
                    # The server attaches the same id with the same content to what it runs already.
                    again = {"type": "resume", "id": self.request_id, "data": place} if seq > retry else frame
                    await self._send(again, *self._cancels)
                    continue
                self._attempts = 0
                if message is None:
                    continue
                number = message.get("seq", seq + 1)
                is_old_end = number == seq == retry and message["type"] in ("error", "response")  # it does not run again
                if (number <= seq and not is_old_end) or not concerns(message, kind, self.request_id):
                    continue  # seen before the drop, or of a request that was left early
                if number > seq + 1:
                    raise TroupeError("sequence_gap", f"{number} came after {seq}.", True)
                seq = message.get("through_seq", message.get("seq", seq))
                self.request_id = self.request_id or message.get("request_id")
                yield message
                if message["type"] == "error" and message.get("in_reply_to", {}).get("type") != "cancel":
                    raise TroupeError(message.get("code", ""), message["message"], message.get("retryable", False),
                                      message.get("seq", 0), message.get("retry_after_ms", 0) / 1000)
                if message["type"] == "response":
                    return

    async def cancel(self, request_id: str, persona_id: str | None = None) -> None:
        """Asks to stop a request or one lane of it, again after a drop. The request's messages tell what came of it,
        among them an error that answers the cancel itself, for it ends nothing."""
        lane = {"persona_id": persona_id} if persona_id else {}
        self._cancels.append({"type": "cancel", "id": request_id, "data": {"request_id": request_id, **lane}})
        await self._send(self._cancels[-1])

    async def ping(self, timeout_s: float = 10) -> float:
        """Returns the round trip in seconds; raises TroupeError `disconnected` where no pong comes in time."""
        clock, pong = asyncio.get_running_loop().time, {"type": "pong", "id": str(uuid.uuid4())}
        async with self._busy:
            started = clock()
            await self._send({**pong, "type": "ping"})
            try:
                while json.loads(await asyncio.wait_for(self._socket.recv(), timeout_s)) != pong:
                    pass  # of a request that was left early
            except (ConnectionClosed, asyncio.TimeoutError) as cause:
                raise TroupeError("disconnected", "No pong came.", True) from cause
            return clock() - started

    def _whole(self, message: Message) -> Message | None:
        """The message, put together where it was too large and came in parts; None for a part."""
        if message["type"] == "part":
            self._parts.setdefault(message["request_id"], []).append(message["json"])
            return None
        if "in_parts" not in message:
            return message
        parts = self._parts.pop(message["request_id"], [])
        return json.loads("".join(parts)) if len(parts) == message["in_parts"] else message

    async def _connect(self) -> Any:
        self._parts: dict[str, list[str]] = {}  # of messages whose end has not come, by request
        options: Message = {"close_timeout": 2}
        try:
            host, known = urlsplit(self._url).hostname, websockets.connect.__init__.__kwdefaults__
            if host in ("localhost", "127.0.0.1", "::1") and "proxy" in known:
                options["proxy"] = None  # from 15 on, the environment's proxy would be asked even for localhost
            headers = "additional_headers" if "additional_headers" in known else "extra_headers"  # the latter before 14
            options[headers] = {"Authorization": f"Bearer {self._key}"} if self._key else None
            return await websockets.connect(self._url, **options)
        except (OSError, ValueError, asyncio.TimeoutError, WebSocketException) as cause:
            status = getattr(getattr(cause, "response", cause), "status_code", None)  # the response's from 14 on
            if status in REFUSALS:
                code, advice = REFUSALS[status if self._key or status != 401 else 0]
                raise TroupeError(code, f"{self._url} {advice}.", False) from cause
            reason = "connection refused" if f"Errno {errno.ECONNREFUSED}]" in str(cause) else str(cause) or "no answer"
            raise TroupeError("unreachable", f"Cannot connect to {self._url}: {reason}.", True) from cause

    async def _reconnect(self, closed: ConnectionClosed) -> None:
        if self.request_id is None or (closed.rcvd and closed.rcvd.code in FINAL_CLOSE_CODES):
            raise TroupeError("disconnected", f"The connection is gone: {closed}.", True) from closed
        self._notify(f"connection lost ({closed}), connecting again")
        wait = (closed.rcvd.reason if closed.rcvd else "").partition(" retry_after_ms=")[2]  # of a server that stops
        while self._attempts < CONNECT_ATTEMPTS:
            own_s = min(8, 0.25 * 2**self._attempts) * random.uniform(0.5, 1)
            await asyncio.sleep(min(600, int(wait) / 1000) if wait.isdecimal() else own_s)
            wait, self._attempts = "", self._attempts + 1
            try:
                self._socket = await self._connect()
                return self._notify("connected again")
            except TroupeError as error:
                if not error.retryable:
                    raise
        raise TroupeError("disconnected", f"{self._url} cannot be reached any more.", True) from closed

    async def _send(self, *frames: Message) -> None:
        with contextlib.suppress(ConnectionClosed):  # reading meets the drop too, and all is sent again
            for frame in frames:
                await self._socket.send(json.dumps(frame))


def concerns(message: Message, kind: str, name: str | None) -> bool:
    """Whether a message is about the request `name` or, where that is not known yet, about one of this kind."""
    reply = message.get("in_reply_to", {})
    owner = message.get("request_id") or reply.get("id")
    if owner is None:
        return message["type"] != "pong" and reply.get("type", kind) == kind
    return owner == name or (name is None and message.get("seq", 1) == 1)


def styled(text: str, out: TextIO, colour: int = 0) -> str:
    """As it is for a file; for a terminal without control characters and, unless NO_COLOR is set, in colour."""
    if not out.isatty():
        return text
    text = text.translate(TERMINAL_CONTROLS)
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and not os.environ.get("NO_COLOR") else text


class Terminal:
    """Shows a request's messages: what is said on stdout, everything about it on stderr."""

    def __init__(self, names: list[str], raw: bool) -> None:
        self.names, self.raw = names, raw
        self.begun: dict[str, str] = {}  # the line not complete yet, by name; a single voice has the name ""

    def write(self, name: str, text: str, end: bool = False) -> None:
        """A single voice as it comes; one of several (and thinking) in whole lines behind its name."""
        out, places = sys.stderr if name == "thinking" else sys.stdout, [*self.names, name]
        text = styled(text, out)
        *lines, rest = (self.begun.get(name, "") + text).split("\n")
        if name and len(rest) > 60 and out.isatty():  # nobody waits for the end of a long paragraph
            line, _, rest = rest.rpartition(" ")
            lines.append(line)
        if end and rest:
            text, lines, rest = f"{text}\n", [*lines, rest], ""
        prefix = styled(f"{name:>{max(map(len, places))}} | ", out, 31 + places.index(name) % 6)
        print("".join(f"{prefix}{line}\n" for line in lines) if name else text, end="", file=out, flush=True)
        self.begun[name] = rest

    def note(self, text: str) -> None:
        if sys.stdout.isatty():
            self.write("", "", end=True)
        print(styled(f"[{text}]", sys.stderr, 2), file=sys.stderr, flush=True)

    def show(self, message: Message) -> None:
        kind, name = message["type"], message.get("persona_id", "") if self.names else ""
        if self.raw:
            print(json.dumps(message, ensure_ascii=False), flush=True)
        elif kind == "chunk":
            self.write("thinking", "", end=True)
            self.write(name, message["chunk"], message["is_final"])
        elif kind == "reasoning":
            self.write("thinking", message["text"])
        elif kind == "reset":
            self.note("from the beginning: it runs again, or the server no longer has what was missed:")
            for lane in message["lanes"]:
                self.write(lane.get("persona_id", "") if self.names else "", f"\n{lane['text']}", end=True)
        elif kind in ("persona_response", "response"):
            answer = message.get("data", message)
            self.write(name, "" if not name or name in self.begun else answer["response"], end=True)
            facts = {fact: answer[fact] for fact in FACTS if answer.get(fact)}
            self.note(f"{name} {message['status']} {json.dumps(facts, ensure_ascii=False)}".strip())
        elif kind in ("status", "tool"):
            self.note(": ".join(filter(None, [name, *map(message.get, ("tool", "status", "message"))])))


def json_or_text(text: str) -> Any:
    """What is not JSON goes out as a string: whether it is right is for the server to say."""
    with contextlib.suppress(ValueError):
        return json.loads(text, parse_constant=str)
    return text


def parse_arguments() -> argparse.Namespace:
    """The command line; what was not given is absent, so that the server's defaults hold."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--url", help=f"default {DEFAULTS['url']}")
    common.add_argument("--key", help="the caller's key; default the variable TROUPE_KEY, which other users cannot see")
    common.add_argument("--raw", action="store_true", help="print the server's frames as JSON lines")
    common.add_argument("--id", help="the request's id; default a new UUID")
    common.add_argument("--retries", type=int, metavar="N", help="run a request again that failed for now, N times at most")
    common.add_argument("--no-id", dest="named", action="store_false", help="none, as in the specification")
    parser = argparse.ArgumentParser(description="Without a command: a tour of all three.", parents=[common])
    commands = parser.add_subparsers(dest="kind")

    def command(kind: str, text: str, *flags: str) -> argparse.ArgumentParser:
        added = commands.add_parser(kind, parents=[common], argument_default=argparse.SUPPRESS)
        added.add_argument(text, metavar="TEXT")
        added.add_argument("--pacing", type=lambda text: {"mode": text} if text.isalpha() else json_or_text(text))
        for flag in ("--model", "--on-disconnect", *flags):
            is_text = flag.endswith(("model", "api", "id"))
            added.add_argument(flag, type=str if is_text else json_or_text, metavar="TEXT" if is_text else "JSON")
        return added

    responses = command("openai_chat", "input_text", "--previous-response-id", "--tools", "--options")
    responses.add_argument("--include-reasoning", action="store_true")
    flags = ("--conversation-id", "--api", "--temperature", "--max-tokens")
    command("chat", "message", *flags).add_argument("--persona", dest="persona_id", default=CAST[0])
    several = command("multi_chat", "message", *flags)
    several.add_argument("--personas", dest="persona_ids", nargs="+", default=CAST)
    several.add_argument("--no-stream", dest="stream", action="store_false", help="no chunks")
    return argparse.Namespace(**{**DEFAULTS, **vars(parser.parse_args())})


async def converse(kind: str, data: Message, options: argparse.Namespace) -> int:
    """Sends one request, shows its messages and returns the exit code."""
    terminal, loop = Terminal(data.get("persona_ids", []), options.raw), asyncio.get_running_loop()
    client = TroupeClient(options.url, terminal.note, options.key or os.environ.get("TROUPE_KEY"))

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
        if client.request_id is None:  # so there is nothing to name in a cancel
            os._exit(130)
        asyncio.run_coroutine_threadsafe(client.cancel(client.request_id), loop)

    async with client:
        terminal.note(f"{kind} {json.dumps(data, ensure_ascii=False)}")
        signal.signal(signal.SIGINT, interrupt)
        try:
            name, seq = options.id, 0
            for left in range(options.retries, -1, -1):
                try:
                    async for message in client.request(kind, data, name, named=options.named, retry=seq):
                        terminal.show(message)
                    return 130 if message["status"] == "cancelled" else 0
                except TroupeError as error:
                    terminal.note(f"error {error}")
                    if not error.retryable or not left:
                        return 1
                    name, seq = client.request_id, error.seq if options.named else 0
                    wait_s = error.retry_after_s or 2.0 ** (options.retries - left)
                terminal.note(f"trying again in {wait_s:g} s")
                await asyncio.sleep(wait_s)
            return 1
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> int:
    """Runs the command, or the tour, and returns the exit code."""
    options = parse_arguments()
    data = {name: value for name, value in vars(options).items() if name not in DEFAULTS}
    codes = [0]
    try:
        for request in [(options.kind, data)] if options.kind else TOUR:
            if codes[-1] != 130:
                codes.append(asyncio.run(converse(*request, options)))
        return max(codes)
    except TroupeError as error:
        hint = " Is the server running? `npm start` starts it; --url names another." if error.retryable else ""
        print(f"{error.message}{hint}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


if __name__ == "__main__":
    sys.exit(main())
