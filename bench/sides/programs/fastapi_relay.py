"""FastAPI, websockets and httpx: one frame a token."""

import json
import sys

import httpx
import uvicorn
from fastapi import FastAPI, WebSocket

url = sys.argv[1] + "/responses"
app = FastAPI()
client = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None))


@app.websocket("/")
async def answer(socket: WebSocket) -> None:
    await socket.accept()
    body = json.loads(await socket.receive_text())
    headers = {"authorization": "Bearer test-key"}
    async with client.stream("POST", url, json=body, headers=headers) as response:
        async for line in response.aiter_lines():
            if not line.startswith("data: "):
                continue
            event = json.loads(line[6:])
            if event["type"] == "response.output_text.delta":
                frame = {"type": "chunk", "chunk": event["delta"], "is_final": False}
                await socket.send_text(json.dumps(frame))


uvicorn.run(app, host="127.0.0.1", port=0, ws="websockets", ws_per_message_deflate=False, backlog=4096)
