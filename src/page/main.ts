import { type RequestData, type RequestType, type Transcript, TroupeRequestError } from "../client/index.ts";
import { type ComposedRequest, createComposer } from "./composer.ts";
import { createConnectionPanel } from "./connection-panel.ts";
import { byId, element, showText } from "./elements.ts";
import { createFramesLog } from "./frames-log.ts";
import { createModelPicker } from "./model-picker.ts";
import { readPageConfig } from "./page-config.ts";
import { createPageMemory } from "./page-memory.ts";
import { modelsAddress } from "./socket-path.ts";
import { createStage } from "./stage.ts";
import { connectThemeButton } from "./theme.ts";
import { withFocusKept } from "./with-focus-kept.ts";
import { activityWords, connectionWords, failureWords } from "./words.ts";

const config = readPageConfig(byId("troupe-config", HTMLElement).textContent, location);
const stopAll = byId("stop-all", HTMLButtonElement);
const last = new Map<string, string>();
const memory = createPageMemory(() => sessionStorage);
let problem = "";

const frames = createFramesLog();
const connection = createConnectionPanel({
  ...{ config, memory, onFrame: frames.add, onState: showAll },
  onClient: (server, client) => stage.pickUp(server, client),
});
const stage = createStage({
  ...{ nameOf, stateOf: () => connection.state, onChange: showStatus, onEnd: rememberLast },
  onNamed: memory.remember,
});
const composer = createComposer({
  config,
  onSend: send,
  lastOf: (path) => last.get(path) ?? "",
  onFollow: follow,
});

const models = createModelPicker({
  address() {
    const isOwnServer = !config.fromDisk && connection.url === config.url;
    const mayAsk = isOwnServer && (!config.needsKey || connection.state.name === "open");
    return mayAsk ? modelsAddress(connection.url) : undefined;
  },
  token: () => connection.token,
});

connectThemeButton(byId("theme", HTMLButtonElement));
byId("demo", HTMLElement).hidden = !config.simulated;
stopAll.addEventListener("click", stage.stopAll);
const askedBefore = memory.asked(connection.url);
/** After a reload the connection has no conversation of its own yet, so the form names the earlier one. */
const recalled = new Set(askedBefore.map(({ id }) => id));
if (askedBefore.length > 0) {
  stage.recall(connection.url, askedBefore);
  connection.restore();
}
showStatus();

function nameOf(personaId: string): string {
  return config.personas.find((persona) => persona.id === personaId)?.name ?? personaId;
}

function send({ type, data, named, personaIds, question }: ComposedRequest): void {
  problem = "";
  recalled.clear();
  try {
    // The form sends the written values, even of wrong types: judging them is the server's job.
    const request = connection
      .client()
      .request(type, data as RequestData<RequestType>, named ? {} : { id: false });
    stage.show(connection.url, { request, type, question, personaIds });
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
      stage.show(connection.url, { request, type, question: message, personaIds });
    }
  } catch (thrown) {
    showFailure(thrown);
  }
}

/** Shows an error where it belongs: beside its field, in its turn, and in words in the status line. */
function showFailure(thrown: unknown): void {
  if (!(thrown instanceof TroupeRequestError)) throw thrown;
  // A replaced client's request continues on the next client.
  if (thrown.code === "closed") return;
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
    if (recalled.has(response.request_id)) composer.suggest("conversation_id", data.conversation_id);
  } else if ("id" in data && typeof data.id === "string") {
    last.set("previous_response_id", data.id);
  }
}

/** Tells the style sheet the status line's height, so that scrolled elements come to rest below the line, not under it. */
function measureStatus(): void {
  const { height } = byId("status", HTMLElement).getBoundingClientRect();
  document.documentElement.style.setProperty("--status-height", `${height}px`);
}
new ResizeObserver(measureStatus).observe(byId("status", HTMLElement));

function showStatus(): void {
  const { state, url } = connection;
  const { running, standstills } = stage;
  byId("status", HTMLElement).dataset.state = state.name;
  showText(byId("status-connection", HTMLElement), connectionWords(state, url, connection.wasOpen));
  showText(byId("status-activity", HTMLElement), activityWords(running, standstills));
  showText(byId("status-problem", HTMLElement), problem);
  measureStatus();
  withFocusKept(stopAll, composer.questionField, () => {
    stopAll.disabled = !stage.isStoppable;
  });
}

/** A change of the connection may change the standing of every request. */
function showAll(): void {
  if (connection.state.name === "open") models.load();
  stage.refresh();
  showStatus();
}
