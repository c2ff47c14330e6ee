import type { Lane } from "../client/index.ts";
import { element, showText } from "./elements.ts";
import { createSourceList } from "./source-list.ts";
import { stickToBottom } from "./stick-to-bottom.ts";
import { withFocusKept } from "./with-focus-kept.ts";
import { failureWords, laneWords, type Standstill } from "./words.ts";

export interface LaneView {
  readonly root: HTMLElement;
  /** `standstill`: why an unfinished lane makes no progress. `isStoppable`: whether a stop can reach it. */
  show(lane: Lane, standstill: Standstill, isStoppable: boolean): void;
}

interface LaneViewOptions {
  readonly title: string;
  /** Place among the turn's lanes, which determines the lane's colour. */
  readonly index: number;
  /** Absent if the lane cannot be stopped separately. */
  readonly onStop: (() => void) | undefined;
}

/** Degrees between the colours of neighbours: the golden angle, so that any number of colours stay distinct. */
const hueStep = 137.5;

/** One voice. Its text grows in space reserved from the start, so that nothing around it moves. */
export function createLaneView({ title, index, onStop }: LaneViewOptions): LaneView {
  const name = element("h4", {}, title);
  const status = element("p", { class: "hint reserved" });
  const stop = element("button", { type: "button", class: "quiet" }, "Stop");
  stop.setAttribute("aria-label", `Stop ${title}`);
  stop.hidden = onStop === undefined;
  if (onStop !== undefined) stop.addEventListener("click", onStop);

  const thought = element("p", { class: "prose" });
  const reasoning = element(
    "details",
    { class: "beside", open: true, hidden: true },
    element("summary", {}, "Reasoning"),
    thought,
  );
  const tools = element("ul", { class: "beside", hidden: true });
  const words = new Text();
  const problem = element("p", { class: "problem", hidden: true });
  const body = element("div", {
    class: "lane-body",
    tabindex: "0",
    role: "region",
    "aria-label": `Answer of ${title}`,
  });
  const sources = createSourceList();
  body.append(reasoning, tools, element("p", { class: "prose" }, words), sources.root, problem);

  const root = element(
    "section",
    { class: "lane" },
    element("div", { class: "row" }, name, stop),
    status,
    body,
  );
  root.style.setProperty("--hue", String((250 + index * hueStep) % 360));
  const follow = stickToBottom(body);
  let shown: Lane | undefined;

  function showStop(isStoppable: boolean): void {
    if (stop.disabled === !isStoppable) return;
    withFocusKept(
      stop,
      () => body,
      () => {
        stop.classList.toggle("away", !isStoppable);
        stop.disabled = !isStoppable;
      },
    );
  }

  return {
    root,
    show(lane, standstill, isStoppable) {
      const ended = lane.status === "completed" || lane.status === "failed" || lane.status === "cancelled";
      const doing = laneWords(lane, standstill);
      if (status.textContent !== doing) status.textContent = doing;
      showStop(isStoppable && !ended);
      if (lane === shown) return;
      growText(words, lane.text);
      if (lane.reasoning !== shown?.reasoning) {
        thought.textContent = lane.reasoning;
        reasoning.hidden = lane.reasoning === "";
      }
      if (lane.tools !== shown?.tools) {
        tools.hidden = lane.tools.length === 0;
        tools.replaceChildren(
          ...lane.tools.map(({ tool, status: state }) =>
            element("li", {}, element("code", {}, tool), ` ${state}`),
          ),
        );
      }
      if (lane.sources !== shown?.sources) sources.show(lane.sources);
      if (lane.name !== undefined && lane.name !== name.textContent) name.textContent = lane.name;
      root.dataset.status = lane.status;
      showText(problem, lane.error === undefined ? "" : failureWords(lane.error));
      shown = lane;
      follow();
    },
  };
}

/** Appends only the new text, so that a selection in the text stays where it is. */
function growText(node: Text, text: string): void {
  if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
  else node.data = text;
}
