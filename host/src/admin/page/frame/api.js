// The host's answers, with the token where it asks for one.

import { at } from './root.js';

const KEPT_UNDER = 'till-admin-token';

let asking = null;

/** Returns whether this tab has a token. */
export function hasToken() {
  return sessionStorage.getItem(KEPT_UNDER) !== null;
}

/** What was answered instead of what was asked for. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? problem?.title ?? `the host answered ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

/** Returns the JSON at the path. Asks the person for the token, as often as the host does. */
export function read(path, signal) {
  return ask(path, { signal });
}

/** Sends `body` to the path, as JSON unless it is a file, and returns the JSON of the answer. */
export function send(method, path, body) {
  const isFile = body instanceof Blob;
  const headers = isFile || body === undefined ? {} : { 'content-type': 'application/json' };
  return ask(path, { method, headers, body: isFile || body === undefined ? body : JSON.stringify(body) });
}

/** Buys as a customer does; returns `{ok, body, trace_id}`, also of a checkout that the shop refuses. */
export async function buy(order) {
  const headers = { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID?.() ?? String(Math.random()) };
  const answer = await answered('/buy', { method: 'POST', headers, body: JSON.stringify(order) });
  const body = await answer.json().catch(() => null);
  return { ok: answer.ok, body, trace_id: answer.headers.get('traceresponse')?.split('-')[1] ?? null };
}

async function ask(path, request) {
  const answer = await answered(path, request);
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, body);
  return body;
}

/** Returns the host's answer, once the person has given the token that it may ask for. */
async function answered(path, request) {
  const used = sessionStorage.getItem(KEPT_UNDER);
  const token = used === null ? {} : { authorization: `Bearer ${used}` };
  const answer = await fetch(at(path), { ...request, headers: { ...request.headers, ...token }, cache: 'no-store' });
  if (answer.status !== 401) return answer;
  await newToken(used);
  return answered(path, request);
}

/** Waits for another token than the one that was refused. Several readers wait for the same one. */
function newToken(refused) {
  if (sessionStorage.getItem(KEPT_UNDER) !== refused) return Promise.resolve();
  asking ??= askForToken(refused !== null).finally(() => (asking = null));
  return asking;
}

function askForToken(again) {
  const dialog = document.getElementById('token');
  const form = document.getElementById('token-form');
  const text = document.getElementById('token-text');
  document.getElementById('token-bad').textContent = again ? 'That token was refused.' : '';
  text.value = '';
  // Nothing behind it has anything to show yet, so there is no way around it.
  const stay = (event) => event.preventDefault();
  dialog.addEventListener('cancel', stay);
  dialog.showModal();
  text.focus();
  return new Promise((resolve) => {
    form.addEventListener('submit', function submit(event) {
      event.preventDefault();
      const token = text.value.trim();
      // A header has room for these only.
      if (!/^[\x21-\x7e]+$/.test(token)) {
        document.getElementById('token-bad').textContent = 'A token is visible ASCII, without spaces.';
        return;
      }
      form.removeEventListener('submit', submit);
      dialog.removeEventListener('cancel', stay);
      sessionStorage.setItem(KEPT_UNDER, token);
      dialog.close();
      resolve();
    });
  });
}

/** Saves what is at the path as a file: a link couldn't send the token. */
export async function save(path, name) {
  saveAs(JSON.stringify(await read(path), null, 2), name);
}

/** Saves JSON as a file. */
export function saveAs(text, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
