// Shows records as they come, newest first. Whatever a record says is set as text and never as
// markup. The browser itself comes back after an interruption and says what it has seen last.
const ROWS_MAX = 500;
const form = document.getElementById("filter");
const rows = document.getElementById("records");
const state = document.getElementById("state");
const pause = document.getElementById("pause");
let source = null;
let waiting = null;

function question() {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (value) query.append(name, name === "since" || name === "until" ? new Date(value).toISOString() : value.trim());
  }
  return query;
}

function cell(row, text, className) {
  const element = row.insertCell();
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

function outcome(record) {
  if (record.policy_decision === "deny") return ["denied", "bad"];
  if (record.operation_status === "error") return ["failed", "bad"];
  return [record.policy_decision === "warn" ? "changed" : "ok", ""];
}

function show(record) {
  const row = document.createElement("tr");
  row.dataset.sequence = record.sequence;
  const time = document.createElement("time");
  time.dateTime = record.timestamp;
  time.textContent = new Date(record.timestamp).toLocaleString();
  time.title = record.timestamp;
  row.insertCell().append(time);
  cell(row, record.operation_type === "auth" ? record.operation_name : `${record.operation_type} ${record.operation_name}`);
  cell(row, ...outcome(record));
  cell(row, record.user_id ?? "");
  cell(row, record.client_id ?? "");
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = record.error ?? record.policy_reason ?? `${record.duration_ms} ms`;
  details.append(summary);
  details.addEventListener("toggle", () => {
    const text = document.createElement("pre");
    text.textContent = JSON.stringify(record, null, 2);
    details.append(text);
  }, { once: true });
  row.insertCell().append(details);
  rows.prepend(row);
  while (rows.rows.length > ROWS_MAX) rows.deleteRow(-1);
}

function arrive(event) {
  const record = JSON.parse(event.data);
  if (waiting) {
    waiting.push(record);
    if (waiting.length > ROWS_MAX) waiting.shift();
    pause.textContent = `Go on (${waiting.length})`;
  } else {
    show(record);
  }
}

function listen() {
  source?.close();
  rows.replaceChildren();
  waiting &&= [];
  state.textContent = "Connecting…";
  source = new EventSource(`/audit/events?${question()}`);
  source.onopen = () => { state.textContent = "Live"; };
  source.onmessage = arrive;
  source.onerror = () => {
    const isOver = source.readyState === EventSource.CLOSED;
    state.textContent = isOver ? "The server refuses: the filter is not valid, or you are not signed in any more." : "Interrupted, trying again…";
  };
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  listen();
});
pause.addEventListener("click", () => {
  if (waiting) {
    waiting.forEach(show);
    waiting = null;
    pause.textContent = "Pause";
  } else {
    waiting = [];
    pause.textContent = "Go on";
  }
});
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
listen();
