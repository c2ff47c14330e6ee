import { type RequestData, type RequestType, type Transcript, TroupeRequestError } from "../client/index.ts";
import { type ComposedRequest, createComposer } from "./composer.ts";
import { createConnectionPanel } from "./connection-panel.ts";
import { byId, element, showText } from "./elements.ts";
import { createFramesLog } from "./frames-log.ts";
import { readPageConfig } from "./page-config.ts";
import { createStage } from "./stage.ts";
import { connectThemeButton } from "./theme.ts";
import { connectionWords, failureWords } from "./words.ts";

const config = readPageConfig(byId("troupe-config", HTMLElement).textContent, location);
const stopAll = byId("stop-all", HTMLButtonElement);
const last = new Map<string, string>();
let problem = "";

const frames = createFramesLog();
const connection = createConnectionPanel({ config, onFrame: frames.add, onState: showStatus });
const stage = createStage({ nameOf, onChange: showStatus, onEnd: rememberLast });
const composer = createComposer({
  config,
  onSend: send,
  lastOf: (path) => last.get(path) ?? "",
  onFollow: follow,
});

connectThemeButton(byId("theme", HTMLButtonElement));
byId("demo", HTMLElement).hidden = !config.simulated;
stopAll.addEventListener("click", () => {
  for (const { request } of stage.running) request.cancel();
});
showStatus();

function nameOf(personaId: string): string {
  return config.personas.find((persona) => persona.id === personaId)?.name ?? personaId;
}

function send({ type, data, named, personaIds, question }: ComposedRequest): void {
  problem = "";
  try {
    // The form sends what was written, also what the types would not allow: judging it is the server's part.
    const request = connection
      .client()
      .request(type, data as RequestData<RequestType>, named ? {} : { id: false });
    stage.show({ request, type, question, personaIds });
    request.done.catch(showFailure);
  } catch (thrown) {
    showFailure(thrown);
  }
  showStatus();
}

async function follow(conversationId: string): Promise<void> {
  if (conversationId === "") {
    composer.showProblem("data.conversation_id", "Which one? Write an id, or ask something first.");
    return;
  }
  const client = connection.client();
  client.connect();
  try {
    for await (const { question, request } of client.follow(conversationId)) {
      const { message, request_type: type, persona_ids: personaIds } = question;
      stage.show({ request, type, question: message, personaIds });
    }
  } catch (thrown) {
    showFailure(thrown);
  }
}

/** An error stands where it belongs: beside its field, in its turn, and in words in the status line. */
function showFailure(thrown: unknown): void {
  if (!(thrown instanceof TroupeRequestError)) throw thrown;
  problem = failureWords(thrown);
  if (thrown.field !== undefined) composer.showProblem(thrown.field, thrown.message);
  showStatus();
}

function rememberLast({ response }: Transcript): void {
  if (response === undefined) return;
  const { data } = response;
  if ("conversation_id" in data && typeof data.conversation_id === "string") {
    if (last.get("conversation_id") !== data.conversation_id) {
      byId("conversations", HTMLElement).append(element("option", { value: data.conversation_id }));
    }
    last.set("conversation_id", data.conversation_id);
  } else if ("id" in data && typeof data.id === "string") {
    last.set("previous_response_id", data.id);
  }
}

/** Beneath the status line, which stays in view, things stay in view too. */
new ResizeObserver(([entry]) => {
  const height = entry?.borderBoxSize[0]?.blockSize ?? 0;
  document.documentElement.style.setProperty("--status-height", `${height}px`);
}).observe(byId("status", HTMLElement));

function showStatus(): void {
  const { state, url } = connection;
  const running = stage.running;
  byId("status", HTMLElement).dataset.state = state.name;
  showText(byId("status-connection", HTMLElement), connectionWords(state, url));
  showText(byId("status-activity", HTMLElement), activityWords(running.map(({ type }) => type)));
  showText(byId("status-problem", HTMLElement), problem);
  stopAll.disabled = running.length === 0;
}

function activityWords(types: readonly RequestType[]): string {
  if (types.length === 0) return "Nothing runs.";
  const count = types.length === 1 ? "1 request runs" : `${types.length} requests run`;
  return `${count}: ${types.join(", ")}.`;
}
