"""Plays one scenario with the client that was written from PROTOCOL.md alone, and prints its result as JSON.

`page_scenarios.py URL SCENARIO [ARGUMENT...]`
"""
import asyncio
import hashlib
import json
import sys

import websockets

from page_client import TRIES, Client, pause


class Scenarios:
    """The scenarios of the command line; `-` in a name is `_` here."""

    def __init__(self, client):
        self.client = client

    async def say(self, kind, question, personas=(), chunks=float("inf"), **more):
        """Asks, and waits for the end or so many chunks."""
        data = {"input_text": question}
        if kind != "openai_chat":  # the conversation is always named: the request may be sent again on another connection
            who = {"persona_ids": personas} if kind == "multi_chat" else {"persona_id": next(iter(personas), None)}
            data = {"message": question, "conversation_id": "new", **who}
        request = await self.client.ask(kind, data | more)
        await request.ended(chunks)
        return request

    async def ask(self, kind, question, *personas):
        request = await self.say(kind, question, personas)
        end = request.end
        return {"status": end["status"], "texts": request.texts, "final": end.get("data"), "error": end.get("code")}

    async def large(self, question):
        request = await self.say("openai_chat", question, pacing={"mode": "raw"})
        text, whole = request.text, request.end.get("data", {}).get("output_text")
        return {"chars": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest(),
                "largest_message_bytes": self.client.largest, "final_equals_stream": whole == text}

    async def cut(self, question):
        request = await self.say("openai_chat", question, chunks=3)
        self.client.cut()
        await request.ended()
        return {"text": request.text, "seqs_in_row": request.in_row, "connections": self.client.connections}

    async def cancel(self, question):
        request = await self.say("openai_chat", question, chunks=1)
        reply, end = await self.client.call("cancel", request_id=request.id), await request.ended()
        return {"text": request.text, "status": end["status"], "finish_reason": end.get("finish_reason"),
                "reply": reply["type"]}

    async def cancel_lane(self, question, *personas):
        request = await self.say("multi_chat", question, personas, chunks=1)
        await self.client.call("cancel", request_id=request.id, persona_id=personas[0])
        await request.ended()
        return {"texts": request.texts, "lanes": {lane: outcome["status"] for lane, outcome in request.lanes.items()}}

    async def follow(self, question1, question2):
        asked, b = await self.say("chat", question1, ["tech_enthusiast"]), Client(self.client.url)
        conversation = await b.follow(asked.conversation_id, after="")
        first = await conversation.turns.get()
        await first.ended()
        b.cut(come_back=False)
        await self.say("chat", question2, ["tech_enthusiast"], conversation_id=conversation.id)
        b.connect()
        second = await conversation.turns.get()
        await second.ended()
        await b.unfollow(conversation)
        before = b.received
        await self.say("chat", question1, ["tech_enthusiast"], conversation_id=conversation.id)
        await b.call("ping")  # its pong comes after everything that was sent to B before
        await b.close()
        return {"first": first.text, "second": second.text, "doubled": bool(first.repeats + second.repeats),
                "after_unfollow": b.received - before - 1}

    async def retry(self, question):
        request, attempts = await self.say("openai_chat", question), 1
        while request.end["type"] == "error" and request.end["retryable"] and attempts < TRIES:
            await asyncio.sleep(pause(attempts - 1, request.end.get("retry_after_ms")))
            await self.client.retry(request)
            await request.ended()
            attempts += 1
        return {"attempts": attempts, "text": request.text, "status": request.end["status"], "seqs_in_row": request.in_row}

    async def bad(self, frame):
        socket, error, is_open = await websockets.connect(self.client.url), {}, True
        try:
            await socket.send(frame)
            await socket.send('{"type": "ping"}')
            while (message := json.loads(await socket.recv()))["type"] != "pong":
                error = message if message["type"] == "error" and "seq" not in message else error
        except websockets.ConnectionClosed:
            is_open = False
        await socket.close()
        return {"code": error.get("code"), "field": error.get("field"), "socket_open": is_open}


async def main(url, scenario, *arguments):
    client = Client(url)
    try:
        result = await getattr(Scenarios(client), scenario.replace("-", "_"))(*arguments)
    finally:
        await client.close()
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except Exception as problem:
        sys.exit(f"{type(problem).__name__}: {problem}")
