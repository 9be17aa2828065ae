'use strict';
// The console page. Every value of a customer reaches the page as text
// (textContent or a text node), never as HTML.

const $ = (id) => document.getElementById(id);

// element makes <name> with properties of its own and children.
function element(name, properties, ...children) {
  const e = document.createElement(name);
  Object.assign(e, properties);
  e.append(...children);
  return e;
}

// seen is how far answers went, by partition. It is sent back, so that of
// several servers behind one address none shows an older state than the last.
const seen = new Map();

function remember(positions) {
  for (const [, partition, offset] of (positions || '').matchAll(/([^ ,]+)@(-?\d+)/g)) {
    seen.set(partition, Math.max(Number(offset), seen.get(partition) ?? -1));
  }
}

// ask fetches JSON. A problem, and a server that does not answer, is an error
// with the members of a problem.
async function ask(path) {
  const headers = {Accept: 'application/json'};
  if (seen.size) headers['Billing-Min-Position'] = [...seen].map(([partition, offset]) => `${partition}@${offset}`).join(', ');
  let response;
  try {
    response = await fetch(path, {headers});
  } catch {
    show('down', 'not reachable');
    throw {title: 'The server does not answer', detail: 'Try again in a moment.'};
  }
  const body = await response.json();
  readiness(response.ok ? null : body, path);
  const position = response.headers.get('Billing-Position');
  remember(position);
  if (body.code === 'view-behind' || body.code === 'invalid-position') seen.clear(); // topics made anew begin at 0
  if (!response.ok) throw body;
  return {body, etag: response.headers.get('ETag'), position};
}

// readiness shows what the answers themselves say about the server. One account
// may be there while others are still recovering: only the list needs them all.
function readiness(problem, path) {
  if (!problem || problem.status < 500) {
    const all = path.startsWith('/v1/accounts?');
    if (all || $('readiness').dataset.state !== 'recovering') show('ready', 'ready');
    return;
  }
  if (problem.code === 'recovering') {
    const left = problem.remaining_records;
    return show('recovering', left > 0 ? `recovering, ${left.toLocaleString()} records left` : 'recovering');
  }
  show('down', problem.title.toLowerCase());
}

function show(state, text) {
  const chip = $('readiness');
  chip.dataset.state = state;
  say(chip, text);
}

// say sets the text of an element that screen readers announce, but not again.
function say(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// later calls f again in a second, as long as the answer is "not yet".
function later(problem, f) {
  if (problem.status === 503 || !problem.status) setTimeout(f, problem.status ? 1000 : 3000);
}

// --- one account ---

let asked = 0; // number of the newest look-up: an older answer is dropped

async function lookUp(id, focus) {
  const mine = ++asked;
  if (id === '.' || id === '..') {
    return showProblem({title: 'Not from a browser', detail: 'Browsers take this id for a directory and cannot ask for it.'}, focus);
  }
  try {
    const {body, etag, position} = await ask('/v1/accounts/' + encodeURIComponent(id));
    if (mine === asked) showAccount(body, etag, position, focus);
  } catch (problem) {
    if (mine !== asked) return;
    showProblem(problem, focus);
    later(problem, () => { if (mine === asked) lookUp(id, false); });
  }
}

function showProblem(problem, focus) {
  $('account').hidden = true;
  $('problem').hidden = false;
  say($('problem-title'), problem.title);
  const since = problem.erased_at ? `Since ${when(problem.erased_at)}.` : '';
  say($('problem-detail'), problem.detail || since);
  $('problem-link').parentElement.hidden = !problem.code;
  $('problem-link').href = '/problems/' + encodeURIComponent(problem.code || '');
  if (focus) $('problem').focus();
}

function showAccount(account, etag, position, focus) {
  $('problem').hidden = true;
  $('account').hidden = false;
  $('account-title').textContent = account.customer_id;
  badge($('account-status'), account.status);
  $('account-meta').replaceChildren(...[
    ['Update', String(account.seq)], ['Updated', when(account.updated_at)], ['Registered', when(account.registered_at)],
    ['Closed', when(account.closed_at)], ['ETag', etag], ['Position', position],
  ].filter(([, value]) => value).map(([name, value]) => element('div', {}, ...pair(name, value))));
  $('account-facets').replaceChildren(...FACETS.map(([name, read]) => facet(name, read(account))));
  $('account-extra').replaceChildren(...notes('Ahead', account.scheduled, ahead), ...notes('Doubtful', account.warnings, doubt));
  $('account-json').textContent = JSON.stringify(account, null, 2);
  if (focus) $('account-title').focus();
}

// FACETS says which members of an account are shown, and how.
const FACETS = [
  ['Name', (a) => a.name],
  ['Billing address', (a) => address(a.billing_address)],
  ['Shipping address', (a) => address(a.shipping_address)],
  ['Contact', (a) => a.contact && {Email: a.contact.email, Phone: a.contact.phone, Locale: a.contact.locale,
    'Time zone': a.contact.time_zone, 'Invoices to': (a.contact.invoice_recipients || []).join(', ')}],
  ['Tax', (a) => a.tax && {...Object.fromEntries((a.tax.tax_ids || []).map((id) => [id.type, id.value])), Exempt: a.tax.exempt}],
  ['Payment method', (a) => a.payment_method && {Reference: a.payment_method.ref, Type: a.payment_method.type,
    Brand: a.payment_method.brand, Ends: a.payment_method.last4, Expires: expiry(a.payment_method)}],
  ['Plan', (a) => a.plan && {Code: a.plan.code, Price: price(a.plan)}],
];

function address(a) {
  return a && {Street: [a.line1, a.line2].filter(Boolean).join(', '), City: [a.postal_code, a.city].filter(Boolean).join(' '),
    Subdivision: a.subdivision, Country: a.country};
}

function expiry(method) {
  return [method.exp_month && String(method.exp_month).padStart(2, '0'), method.exp_year].filter(Boolean).join('/');
}

function facet(name, value) {
  const box = element('div', {className: 'facet'}, element('h3', {textContent: name}));
  if (!value) {
    box.append(element('p', {className: 'none', textContent: 'not set'}));
  } else if (typeof value === 'string') {
    box.append(element('p', {textContent: value}));
  } else {
    box.append(element('dl', {}, ...Object.entries(value).filter(([, v]) => v).flatMap(([k, v]) => pair(k, v))));
  }
  return box;
}

function pair(name, value) {
  return [element('dt', {textContent: name}), element('dd', {textContent: value})];
}

function notes(title, list, text) {
  if (!list.length) return [];
  return [element('h3', {textContent: title}), element('ul', {}, ...list.map((n) => element('li', {textContent: text(n)})))];
}

function ahead(change) {
  const value = change.facet === 'plan' && change.new ? `${change.new.code}, ${price(change.new)}` : JSON.stringify(change.new);
  return `${change.facet} from ${when(change.effective_from)}: ${value}`;
}

function doubt(warning) {
  return [warning.code, warning.facet, warning.field].filter(Boolean).join(' · ');
}

// price writes minor units as a person would: their number per unit is the
// currency's.
function price(plan) {
  const format = new Intl.NumberFormat(undefined, {style: 'currency', currency: plan.currency, currencyDisplay: 'code'});
  const units = plan.amount_minor / 10 ** format.resolvedOptions().maximumFractionDigits;
  return `${format.format(units)} per ${plan.interval.replace('_', ' ')}`;
}

function when(instant) {
  return instant ? instant.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC') : '';
}

function badge(e, status) {
  e.textContent = status;
  e.dataset.state = status;
}

// --- the list ---

let listed = 0; // number of the newest page asked for

async function list(cursor, page) {
  const mine = ++listed;
  const query = new URLSearchParams({limit: $('limit').value});
  if ($('status').value) query.set('status', $('status').value);
  if (cursor) query.set('cursor', cursor);
  $('first').disabled = $('next').disabled = true;
  try {
    const {body} = await ask('/v1/accounts?' + query);
    if (mine === listed) showPage(body, page);
  } catch (problem) {
    if (mine !== listed) return;
    say($('list-note'), problem.title);
    $('first').disabled = false;
    later(problem, () => { if (mine === listed) list(cursor, page); });
  }
}

function showPage(body, page) {
  $('rows').replaceChildren(...body.accounts.map(row));
  $('list-note').textContent = body.accounts.length ? `Page ${page}` : 'No accounts';
  $('first').disabled = page === 1;
  $('next').disabled = !body.next_cursor;
  $('next').onclick = () => list(body.next_cursor, page + 1);
}

function row(account) {
  const link = element('a', {href: '#' + encodeURIComponent(account.customer_id), textContent: account.customer_id});
  const status = element('span', {className: 'badge'});
  badge(status, account.status);
  const plan = account.plan ? `${account.plan.code}, ${price(account.plan)}` : '';
  return element('tr', {}, ...[link, account.name || '', status, account.billing_address?.country || '', plan, when(account.updated_at)]
    .map((cell) => element('td', {}, cell)));
}

// --- what happens when ---

// The id looked at stands behind the #, so that it can be sent to a colleague,
// and the browser's back button works.
function follow() {
  let id;
  try {
    id = decodeURIComponent(location.hash.slice(1));
  } catch {
    return; // not one of our links
  }
  if (!id) return;
  $('id').value = id;
  lookUp(id, true);
}

$('lookup').addEventListener('submit', (event) => {
  event.preventDefault();
  const hash = '#' + encodeURIComponent($('id').value);
  if (hash === location.hash) follow(); // the same again: ask again
  else location.hash = hash;
});
$('first').addEventListener('click', () => list(null, 1));
$('filters').addEventListener('change', () => list(null, 1));
window.addEventListener('hashchange', follow);

follow();
list(null, 1);
