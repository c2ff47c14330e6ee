"""Test client for Troupe's WebSocket: a small library and a command line. Needs Python 3.8 or newer and `websockets`.
Without arguments it makes a tour of the three types of requests; `--help` lists the other commands.
Exit codes: 0 answered, 1 the server reported an error, 2 a wrong option, address or key text, 3 no connection,
4 the key is missing or refused, 5 the server is not Troupe, 130 stopped by Ctrl-C.

    async with TroupeClient("ws://localhost:8000/ws") as client:
        async for message in client.request("openai_chat", {"input_text": "Hello, world!"}):
            print(message)
"""
from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import ssl
import sys
import uuid
from typing import Any, AsyncIterator, Callable, Dict, TextIO
from urllib.parse import urlsplit, urlunsplit
try:
    import websockets
    from websockets.exceptions import ConnectionClosed, WebSocketException
except ModuleNotFoundError:
    if __name__ != "__main__":
        raise
    sys.exit(f"The package websockets is missing: {sys.executable} -m pip install 'websockets>=10.4,<16'")

Message = Dict[str, Any]
CONNECT_ATTEMPTS = 10  # in a row after a drop: about 40 s
FINAL_CLOSE_CODES = {1000, 1002, 1003, 1007, 1008, 1009, 1010, 4401}  # reconnecting would not help
EXIT_CODES = {"bad_url": 2, "bad_key": 2, "unreachable": 3, "unavailable": 3, "disconnected": 3,
              "unauthenticated": 4, "forbidden": 4, "not_troupe": 5}  # any other: 1
# By the HTTP status of a refused handshake: the code, the end of the sentence, whether to try again.
REFUSALS = {401: ("unauthenticated", "does not accept this key", False),
            403: ("forbidden", "lets nobody in this way; its log says why", False),
            404: ("not_troupe", "has no socket at this path, which usually is /ws", False),
            421: ("forbidden", "does not serve this host name; TROUPE_ALLOWED_HOSTS would allow it", False),
            429: ("unavailable", "takes no more from you now; try again later", True),
            503: ("unavailable", "has no room now or is stopping; try again later", True)}
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
    """A failure. `code` is the server's or, from this side, one of EXIT_CODES or `sequence_gap`.
    `seq` is the number of the error that ended a request, for `retry`; `retry_after_s` is the wait before that retry."""

    def __init__(self, code: str, message: str, retryable: bool, seq: int = 0, retry_after_s: float = 0) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.retryable, self.seq, self.retry_after_s = code, message, retryable, seq, retry_after_s


class TroupeClient:
    """One connection with one request at a time (others wait). After a drop it reconnects and resumes.
    `key` is a caller's key; `notify` is called with a sentence for each drop and each reconnect."""

    def __init__(self, url: str, notify: Callable[[str], object] = lambda _: None, key: str | None = None) -> None:
        self._shown = check_url(url)
        check_key(key)
        self._url, self._notify, self._key = url, notify, key
        self.request_id: str | None = None  # of the latest request, once it is known
        self._attempts = 0  # to connect, after the last message
        self._cancels: list[Message] = []  # of the current request: a drop may lose them

    async def __aenter__(self) -> TroupeClient:
        self._busy = asyncio.Lock()
        self._socket = await self._connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()

    async def request(self, kind: str, data: Message, id: str | None = None, *,
                      named: bool = True, retry: int = 0) -> AsyncIterator[Message]:
        """Sends a request and yields its messages, each once, in order, up to the `response`.
        Without `id` it gets a new UUID; with `named=False` it has no id. An `error` is yielded and then raised as TroupeError.
        To run it again after a retryable error, pass its `id` and the error's `seq` as `retry`; 0 sends it again unchanged."""
        async with self._busy:
            self.request_id = (id or str(uuid.uuid4())) if named else None
            frame: Message = {"type": kind, "data": {**data, "retry": retry} if retry else data,
                              **({"id": self.request_id} if named else {})}
            seq, self._cancels = retry, []
            await self._send(frame)
            while True:
                try:
                    message = self._whole(self._decode(await self._socket.recv(), kind))
                except ConnectionClosed as closed:
                    await self._reconnect(closed)
                    place = {"request_id": self.request_id, "after_seq": seq}
                    # A request with the same id and content joins the one that the server already runs.
                    again = {"type": "resume", "id": self.request_id, "data": place} if seq > retry else frame
                    await self._send(again, *self._cancels)
                    continue
                self._attempts = 0
                if message is None:
                    continue
                number = message.get("seq", seq + 1)
                is_old_end = number == seq == retry and message["type"] in ("error", "response")  # the request does not run again
                if (number <= seq and not is_old_end) or not concerns(message, kind, self.request_id):
                    continue  # seen before the drop, or from a request that was left early
                if number > seq + 1:
                    raise TroupeError("sequence_gap", f"{number} came after {seq}.", True)
                seq = message.get("through_seq", message.get("seq", seq))
                self.request_id = self.request_id or message.get("request_id")
                yield message
                if message["type"] == "error" and message.get("in_reply_to", {}).get("type") != "cancel":
                    sentence = message.get("message", "The server gave no reason.")
                    raise TroupeError(message.get("code", ""), sentence, message.get("retryable", False),
                                      message.get("seq", 0), message.get("retry_after_ms", 0) / 1000)
                if message["type"] == "response":
                    return

    async def cancel(self, request_id: str, persona_id: str | None = None) -> None:
        """Asks to stop a request or one lane of it, and asks again after a drop. The request's messages show the result.
        An error that answers the cancel itself comes among them, because it does not end the request."""
        lane = {"persona_id": persona_id} if persona_id else {}
        self._cancels.append({"type": "cancel", "id": request_id, "data": {"request_id": request_id, **lane}})
        await self._send(self._cancels[-1])

    async def ping(self, timeout_s: float = 10) -> float:
        """Returns the round trip in seconds; raises TroupeError `disconnected` if no pong comes in time."""
        clock, pong = asyncio.get_running_loop().time, {"type": "pong", "id": str(uuid.uuid4())}
        async with self._busy:
            started = clock()
            await self._send({**pong, "type": "ping"})
            try:
                while self._decode(await asyncio.wait_for(self._socket.recv(), timeout_s), "ping") != pong:
                    pass  # from a request that was left early
            except (ConnectionClosed, asyncio.TimeoutError) as cause:
                raise TroupeError("disconnected", "No pong came.", True) from cause
            return clock() - started

    def _whole(self, message: Message) -> Message | None:
        """Returns the message, joined if it came in parts; None for a part."""
        if message["type"] == "part":
            self._parts.setdefault(message["request_id"], []).append(message["json"])
            return None
        if "in_parts" not in message:
            return message
        parts = self._parts.pop(message["request_id"], [])
        return json.loads("".join(parts)) if len(parts) == message["in_parts"] else message

    async def _connect(self) -> Any:
        self._parts: dict[str, list[str]] = {}  # of incomplete messages, by request
        options: Message = {"close_timeout": 2}
        try:
            host, known = urlsplit(self._url).hostname, websockets.connect.__init__.__kwdefaults__
            if host in ("localhost", "127.0.0.1", "::1") and "proxy" in known:
                options["proxy"] = None  # from version 15 on, the environment's proxy would be used even for localhost
            headers = "additional_headers" if "additional_headers" in known else "extra_headers"  # the latter before version 14
            options[headers] = {"Authorization": f"Bearer {self._key}"} if self._key else None
            return await websockets.connect(self._url, **options)
        except (OSError, EOFError, ValueError, ImportError, asyncio.TimeoutError, WebSocketException) as cause:
            raise self._explain(cause) from cause

    def _explain(self, cause: BaseException) -> TroupeError:
        """Explains in a sentence why a connection failed and which setting to check."""
        status = getattr(getattr(cause, "response", cause), "status_code", None)  # from version 14 on it belongs to the response
        if status == 401 and not self._key:
            return TroupeError("unauthenticated", f"{self._shown} needs a key: give one by --key or TROUPE_KEY.", False)
        if status in REFUSALS:
            code, advice, retryable = REFUSALS[status]
            return TroupeError(code, f"{self._shown} {advice}.", retryable)
        if status is not None and status >= 500:
            return TroupeError("unavailable", f"{self._shown} or a proxy before it fails (HTTP {status}).", True)
        # The answer is not a WebSocket's: another server, a port with TLS, or a proxy that does not pass upgrades on.
        if status is not None or isinstance(cause, (WebSocketException, EOFError)):
            said = f"HTTP {status}" if status is not None else str(cause) or "no answer"
            tls = "" if self._url.startswith("wss:") else "; a server with TLS needs wss://"
            return TroupeError("not_troupe", f"{self._shown} does not answer as a WebSocket does ({said}){tls}.", False)
        code, retryable = "unreachable", True
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f"its certificate is not trusted ({cause.verify_message}); SSL_CERT_FILE names the issuer's file"
            retryable = False
        elif isinstance(cause, ssl.SSLError):
            reason = f"no TLS connection comes about ({cause.reason}); a server without TLS needs ws://"
            code, retryable = "not_troupe", False
        elif isinstance(cause, (socket.gaierror, UnicodeError)):
            reason, retryable = "its host name is not known", False
        elif isinstance(cause, ConnectionRefusedError) or "Connect call failed" in str(cause):
            reason = "connection refused"
        elif isinstance(cause, asyncio.TimeoutError):
            reason = "no answer in time"
        else:
            reason = str(cause) or type(cause).__name__
        return TroupeError(code, f"Cannot connect to {self._shown}: {reason}.", retryable)

    def _decode(self, frame: Any, kind: str) -> Message:
        """Decodes a message of the server; a frame that Troupe would not send ends the request."""
        with contextlib.suppress(ValueError):
            message = json.loads(frame)
            if isinstance(message, dict) and isinstance(message.get("type"), str) and message["type"] != kind:
                return message
        raise TroupeError("not_troupe", f"{self._shown} answers, but not as Troupe does.", False)

    async def _reconnect(self, closed: ConnectionClosed) -> None:
        if self.request_id is None or (closed.rcvd and closed.rcvd.code in FINAL_CLOSE_CODES):
            raise TroupeError("disconnected", f"The connection is gone: {closed}.", True) from closed
        self._notify(f"connection lost ({closed}), connecting again")
        wait = (closed.rcvd.reason if closed.rcvd else "").partition(" retry_after_ms=")[2]  # from a stopping server
        while self._attempts < CONNECT_ATTEMPTS:
            own_s = min(8, 0.25 * 2**self._attempts) * random.uniform(0.5, 1)
            await asyncio.sleep(min(600, int(wait) / 1000) if wait.isdecimal() else own_s)
            wait, self._attempts = "", self._attempts + 1
            try:
                self._socket = await self._connect()
                return self._notify("connected again")
            except TroupeError as error:
                # It was Troupe a moment ago: any other answer may come from a proxy while Troupe restarts.
                if EXIT_CODES.get(error.code) == 4:
                    raise
        raise TroupeError("disconnected", f"{self._shown} cannot be reached any more.", True) from closed

    async def _send(self, *frames: Message) -> None:
        with contextlib.suppress(ConnectionClosed):  # the reader notices the drop too, and sends everything again
            for frame in frames:
                await self._socket.send(json.dumps(frame))


def check_url(url: str) -> str:
    """Returns the address without a password, for printing; raises TroupeError if it is not a WebSocket's address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as cause:
        raise TroupeError("bad_url", f"{url} is no address: {cause}.", False) from cause
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme)
    if scheme and host:
        example = urlunsplit((scheme, parts.netloc, parts.path if len(parts.path) > 1 else "/ws", parts.query, ""))
        raise TroupeError("bad_url", f"{url} is the address of a page; the socket's is {example}.", False)
    if parts.scheme not in ("ws", "wss") or not host or port == 0 or parts.fragment or " " in url:
        raise TroupeError("bad_url", f"{url or 'An empty text'} is no address of a WebSocket, "
                          "as ws://localhost:8000/ws is one.", False)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def check_key(key: str | None) -> None:
    """Checks a key, which goes into a header: other characters would break that, or be refused without a reason."""
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise TroupeError("bad_key", "The key holds a space, a line break or a letter that no key has: "
                          "look at --key or TROUPE_KEY.", False)


def concerns(message: Message, kind: str, name: str | None) -> bool:
    """Whether a message is about the request `name` or, if that is not known yet, about a request of this kind."""
    reply = message.get("in_reply_to", {})
    owner = message.get("request_id") or reply.get("id")
    if owner is None:
        return message["type"] != "pong" and reply.get("type", kind) == kind
    return owner == name or (name is None and message.get("seq", 1) == 1)


def keep_writing() -> None:
    """Makes the outputs accept any text: a character missing in their encoding becomes "?", and a closed output is silent."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def as_typed(argument: str) -> str:
    """Decodes an argument whose letters the locale lacks: Python then keeps its bytes, which are nearly always UTF-8."""
    try:
        return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return argument.encode("utf-8", "replace").decode("utf-8")


def as_json_line(message: Message, out: TextIO) -> str:
    """Encodes a message for an output. JSON can escape any character, so none has to be replaced."""
    line = json.dumps(message, ensure_ascii=False)
    try:
        line.encode(out.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(message)
    return line


def styled(text: str, out: TextIO, colour: int = 0) -> str:
    """Leaves text for a file as it is. For a terminal, removes control characters and, unless NO_COLOR is set, adds colour."""
    if not out.isatty():
        return text
    text = text.translate(TERMINAL_CONTROLS)
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and not os.environ.get("NO_COLOR") else text


class Terminal:
    """Shows a request's messages: the answers on stdout, everything else on stderr."""

    def __init__(self, names: list[str], raw: bool) -> None:
        self.names, self.raw = names, raw
        self.begun: dict[str, str] = {}  # incomplete line by name; a single voice has the name ""

    def write(self, name: str, text: str, end: bool = False) -> None:
        """Writes a single voice as it comes; one of several (and thinking) in whole lines after its name."""
        out, places = sys.stderr if name == "thinking" else sys.stdout, [*self.names, name]
        text = styled(text, out)
        *lines, rest = (self.begun.get(name, "") + text).split("\n")
        if name and len(rest) > 60 and out.isatty():  # do not hold a long paragraph back until its end
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
            print(as_json_line(message, sys.stdout), flush=True)
        elif kind == "chunk":
            self.write("thinking", "", end=True)
            self.write(name, message["chunk"], message["is_final"])
        elif kind == "reasoning":
            self.write("thinking", message["text"])
        elif kind == "reset":
            self.note("from the beginning: it runs again, or the server no longer has the missed messages:")
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
    """Text that is not JSON is sent as a string: the server judges whether it is valid."""
    with contextlib.suppress(ValueError):
        return json.loads(text, parse_constant=str)
    return text


def parse_arguments() -> argparse.Namespace:
    """Reads the command line. Options that were not given are absent, so that the server's defaults apply."""
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
    given = parser.parse_args([as_typed(argument) for argument in sys.argv[1:]])
    return argparse.Namespace(**{**DEFAULTS, **vars(given)})


async def converse(kind: str, data: Message, options: argparse.Namespace) -> int:
    """Sends one request, shows its messages and returns the exit code."""
    terminal, loop = Terminal(data.get("persona_ids", []), options.raw), asyncio.get_running_loop()
    client = TroupeClient(options.url, terminal.note, options.key or os.environ.get("TROUPE_KEY"))

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
        if client.request_id is None:  # there is no id to cancel
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
                        return EXIT_CODES.get(error.code, 1)
                    name, seq = client.request_id, error.seq if options.named else 0
                    wait_s = error.retry_after_s or 2.0 ** (options.retries - left)
                terminal.note(f"trying again in {wait_s:g} s")
                await asyncio.sleep(wait_s)
            return 1
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> int:
    """Runs the command, or the tour, and returns the exit code."""
    keep_writing()
    options = parse_arguments()
    data = {name: value for name, value in vars(options).items() if name not in DEFAULTS}
    codes = [0]
    try:
        for request in [(options.kind, data)] if options.kind else TOUR:
            if codes[-1] != 130:
                codes.append(asyncio.run(converse(*request, options)))
        return max(codes)
    except TroupeError as error:
        hint = " Is the server running? `npm start` starts it; --url names another."
        print(f"{error.message}{hint if error.code == 'unreachable' else ''}", file=sys.stderr)
        return EXIT_CODES.get(error.code, 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


if __name__ == "__main__":
    sys.exit(main())
