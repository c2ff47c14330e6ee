// A small React page such as an application would have. page-react.ts bundles it and runs it in the browser.
import { createElement, StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { useTroupe, useWebSocket } from "troupe/react";

function Button({ onClick, children }) {
  return createElement("button", { type: "button", onClick }, children);
}

function Conversation({ url }) {
  const { state, requests, send, cancel } = useTroupe(url);
  const ask = () =>
    send("multi_chat", { message: "What is new?", persona_ids: ["tech_enthusiast", "skeptic"] });
  return createElement(
    "section",
    null,
    createElement("p", { id: "state" }, state.name),
    createElement(Button, { onClick: ask }, "Ask"),
    requests.map(({ id, transcript }) =>
      createElement(
        "article",
        { key: id, "data-status": transcript.status },
        transcript.lanes.map((lane) => createElement("p", { key: lane.personaId }, lane.text)),
        createElement(Button, { onClick: () => cancel(id) }, "Stop"),
      ),
    ),
  );
}

function Plain({ url }) {
  const { socket, state, messages, send } = useWebSocket(url);
  return createElement(
    "section",
    null,
    createElement("p", { id: "plain-state" }, `${state} ${socket?.url}`),
    createElement(Button, { onClick: () => send({ type: "ping", id: "from-react" }) }, "Ping"),
    createElement("pre", { id: "plain-messages" }, JSON.stringify(messages)),
  );
}

function App({ url }) {
  const [shown, setShown] = useState(true);
  return createElement(
    "main",
    null,
    createElement(Button, { onClick: () => setShown(!shown) }, "Toggle"),
    shown && createElement(Conversation, { url }),
    shown && createElement(Plain, { url }),
  );
}

export function mount(url) {
  const root = document.body.appendChild(document.createElement("div"));
  createRoot(root).render(createElement(StrictMode, null, createElement(App, { url })));
}
