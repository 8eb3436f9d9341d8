// One run's way: send it, and tell its view what comes, until the record of it is complete.

import { ApiError, sentence } from "./api.js";

// A server notices only after a while that its caller has gone.
const AFTER_STOP_MS = 600;

const ENDINGS = {
  length: "The reply was cut off at the length limit.",
  content_filter: "The reply was cut off by the provider's content filter.",
};

/** Fill `run` from `api`. `view` is told of each change; `ended` is called when the reply is over. */
export async function perform({ run, messages, api, view, signal, ended }) {
  Object.assign(run, { text: "", decision: null, decisionId: null, fault: null, note: null, status: "waiting" });
  view.begun();
  try {
    await receive({ run, messages, api, view, signal });
  } catch (error) {
    if (signal.aborted) run.status = "stopped";
    else fail(run, error);
  }
  view.ended();
  ended();
  await settle({ run, api, view });
}

async function receive({ run, messages, api, view, signal }) {
  let finish = null;
  for await (const event of api.chat(run.target, messages, signal)) {
    if (event.begun) run.decisionId = event.begun;
    if (event.decision) {
      run.decision = event.decision;
      run.decisionId = event.decision.id;
      view.decided();
    }
    if (event.text) {
      run.text += event.text;
      run.status = "streaming";
      view.grew();
    }
    if (event.fault) throw new ApiError(sentence(event.fault));
    if (event.finish) finish ??= event.finish;
  }
  if (!finish) throw new ApiError("The connection ended early.");
  run.status = "complete";
  run.note = ENDINGS[finish] ?? (run.text ? null : "The model sent an empty reply.");
}

function fail(run, error) {
  const isTold = error instanceof ApiError;
  // A mistake of this page's own is for its developers; the reader is not left waiting.
  if (!isTold) console.error(error);
  run.decisionId = error.decisionId ?? run.decisionId;
  run.status = run.text ? "incomplete" : "failed";
  run.fault = { message: isTold ? error.message : "This page failed to show the reply.", status: error.status };
}

async function settle({ run, api, view }) {
  if (!run.decisionId) return;
  if (run.status === "stopped") await new Promise((resolve) => { setTimeout(resolve, AFTER_STOP_MS); });
  const id = run.decisionId;
  try {
    const record = await api.decision(id);
    if (run.decisionId !== id) return;
    run.decision = record;
    view.settled();
  } catch (error) {
    if (error instanceof ApiError) view.unsettled(error.message);
    else throw error;
  }
}
