'use strict';
// Tries the server's models: a form per task, and its answer drawn. Answers are built of nodes, never of markup, so that text of
// users and models stays text. #model=...&task=...&FIELD=... in the address fills the form in and runs it.
const $ = id => document.getElementById(id);

function node(tag, attributes, ...children) {
  const n = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) n.setAttribute(key, value);
  n.append(...children);
  return n;
}

const percent = x => (100 * x).toFixed(1) + ' %';
const lines = text => text.split('\n').map(x => x.trim()).filter(x => x);

// --- Answers

function bars(rows, show = percent, most = 1) {
  const grid = node('div', {class: 'bars'});
  for (const [name, value] of rows) {
    const fill = node('div', {class: 'fill'});
    fill.style.width = Math.max(0, Math.min(1, value / most)) * 100 + '%';
    grid.append(node('span', {class: 'name'}, name), node('div', {class: 'track', 'aria-hidden': 'true'}, fill),
      node('span', {class: 'value'}, show(value)));
  }
  return grid;
}

// Pieces of a text that begin and end at characters, which are code points, not JavaScript's.
function marked(text, spans) {
  const characters = Array.from(text), out = node('p', {class: 'text'}), kinds = [];
  let at = 0;
  for (const s of spans) {
    if (s.start < at) continue;
    if (!kinds.includes(s.type)) kinds.push(s.type);
    out.append(characters.slice(at, s.start).join(''));
    const mark = node('mark', {class: 'k' + kinds.indexOf(s.type) % 6, title: s.title || ''}, characters.slice(s.start, s.end).join(''));
    if (s.type) mark.append(node('span', {class: 'type'}, s.type));
    out.append(mark);
    at = s.end;
  }
  out.append(characters.slice(at).join(''));
  return out;
}

// How strong a cell's colour is; the number stands in it too.
function shade(cell, x) {
  cell.style.background = `color-mix(in srgb, var(--bar) ${Math.round(100 * Math.max(0, Math.min(1, x)))}%, transparent)`;
}

function matrix(names, vectors) {
  const head = node('tr', {}, node('td')), body = node('tbody');
  names.forEach((_, i) => head.append(node('th', {scope: 'col'}, String(i + 1))));
  vectors.forEach((a, i) => {
    const row = node('tr', {}, node('th', {scope: 'row'}, i + 1 + '. ' + names[i]));
    for (const b of vectors) {
      const x = a.reduce((sum, v, k) => sum + v * b[k], 0), cell = node('td', {}, x.toFixed(3));
      shade(cell, 0.8 * x);
      row.append(cell);
    }
    body.append(row);
  });
  return node('div', {class: 'scroll'}, node('table', {}, node('caption', {class: 'note'}, 'Cosine of each two sentences'), node('thead', {}, head), body));
}

// Late interaction: each token of the query finds the document's token that is most like it, and the score is their sum.
function maxsim([query], [document]) {
  const head = node('tr', {}, node('td')), body = node('tbody');
  let score = 0;
  for (const t of document.tokens) head.append(node('th', {scope: 'col'}, t.text));
  head.append(node('th', {scope: 'col'}, 'best'));
  query.vectors.forEach((q, i) => {
    const name = query.tokens[i].text, row = node('tr', {}, node('th', {scope: 'row'}, name));
    const alike = document.vectors.map(d => q.reduce((sum, v, k) => sum + v * d[k], 0));
    const best = alike.indexOf(Math.max(...alike));
    score += alike[best] ?? 0;
    alike.forEach((x, k) => {
      const cell = node('td', {title: `${name} and ${document.tokens[k].text}: ${x.toFixed(3)}`, 'aria-label': x.toFixed(3)});
      shade(cell, x * x);
      if (k === best) cell.className = 'best';
      row.append(cell);
    });
    row.append(node('td', {class: 'found'}, best < 0 ? '' : `${document.tokens[best].text} ${alike[best].toFixed(3)}`));
    body.append(row);
  });
  return node('div', {}, node('p', {class: 'text'}, `MaxSim ${score.toFixed(4)}`), node('div', {class: 'scroll'}, node('table', {class: 'attention'},
    node('caption', {class: 'note'}, "Rows: the query's tokens. Columns: the document's. The framed cell answers the row's token; the stronger the colour, the more alike"),
    node('thead', {}, head), body)));
}

function attention(reply) {
  const tokens = reply.tokens.map(t => t.text), head = node('tr', {}, node('td')), body = node('tbody');
  for (const t of tokens) head.append(node('th', {scope: 'col'}, t));
  reply.attention.forEach((weights, i) => {
    const row = node('tr', {}, node('th', {scope: 'row'}, tokens[i]));
    weights.forEach((w, k) => {
      const cell = node('td', {title: `${tokens[i]} looks at ${tokens[k]}: ${percent(w)}`, 'aria-label': percent(w)});
      shade(cell, w);
      row.append(cell);
    });
    body.append(row);
  });
  return node('div', {class: 'scroll'}, node('table', {class: 'attention'},
    node('caption', {class: 'note'}, `Layer ${reply.layer}, head ${reply.head}: each row's token looks at the columns' tokens; the stronger the colour, the more`),
    node('thead', {}, head), body));
}

// --- Tasks: their fields, their request, and how the reply is drawn

const area = (name, label, value) => ({name, label, value, area: true});
const field = (name, label, value) => ({name, label, value});
const tasks = {
  predict: {label: 'Labels', path: '/predict', fields: [area('text', 'Text', 'This movie was amazing!')],
    body: v => ({inputs: v.text}), draw: r => bars(r.map(x => [x.label, x.score]))},
  entities: {label: 'Entities', path: '/entities', fields: [area('text', 'Text', 'Ada Lovelace met Charles Babbage in London.')],
    body: v => ({inputs: v.text}),
    draw: (r, v) => r.entities.length
      ? marked(v.text, r.entities.map(e => ({start: e.start, end: e.end, type: e.entity_group, title: percent(e.score)})))
      : node('p', {}, 'No entities.')},
  answer: {label: 'Answer in a context', path: '/answer',
    fields: [field('question', 'Question', 'Where does Ada live?'), area('context', 'Context', 'Ada lives in London. Her brother lives in Paris.')],
    body: v => ({question: v.question, context: v.context, long: 'window', top_k: 3}),
    draw: (r, v) => {
      const all = r.answers || [r];
      return node('div', {}, marked(v.context, [{start: r.start, end: r.end, type: ''}]), bars(all.map(a => [a.answer || '(no answer)', a.score])));
    }},
  fill_mask: {label: 'Words for [MASK]', path: '/fill_mask', fields: [area('text', 'Text with [MASK]', 'Paris is the [MASK] of France.')],
    body: v => ({inputs: v.text}),
    draw: r => node('div', {}, ...r.masks.map(m => bars(m.scores.map(s => [s.token_str, s.score]))))},
  zero_shot: {label: 'Labels of your own', path: '/zero_shot',
    fields: [area('text', 'Text', 'The match ended two to one.'), field('labels', 'Labels, separated by commas', 'sport, politics, weather')],
    body: v => ({inputs: v.text, labels: v.labels.split(',').map(x => x.trim()).filter(x => x)}),
    draw: r => bars(r.labels.map((l, i) => [l, r.scores[i]]))},
  embed: {label: 'Similarity', path: '/embed', fields: [area('text', 'A sentence per line', 'A cat sleeps on the sofa.\nThe kitten is asleep.\nStocks fell on Monday.')],
    body: v => ({inputs: lines(v.text)}), draw: (r, v) => matrix(lines(v.text), r)},
  embed_sparse: {label: 'Sparse weights', path: '/run', fields: [area('text', 'Text', 'A cat sleeps on the sofa.')],
    body: v => ({inputs: v.text, top_k: 20}),
    draw: r => bars(r.sparse.map(x => [x.token || String(x.id), x.weight]), x => x.toFixed(3), Math.max(...r.sparse.map(x => x.weight), 1e-9))},
  embed_all: {label: 'MaxSim of a query and a text', path: '/embed_all',
    fields: [field('query', 'Query', 'Who sleeps?'), area('text', 'Text', 'The cat sleeps on the sofa.')],
    body: v => ({inputs: v.query, as: 'query', return_tokens: true}),
    second: v => ({inputs: v.text, as: 'document', return_tokens: true}),
    draw: (r, v, second) => maxsim(r, second)},
  rerank: {label: 'Rank texts for a query', path: '/rerank',
    fields: [field('query', 'Query', 'Who sleeps?'), area('text', 'A text per line', 'Stocks fell on Monday.\nThe cat sleeps.')],
    body: v => ({query: v.query, texts: lines(v.text), return_text: true}), draw: r => bars(r.map(x => [x.text, x.score]), x => x.toFixed(4))},
  summarize: {label: 'Summary', path: '/summarize', fields: [area('text', 'Text', 'Cats sleep a lot. Dogs bark. A cat sleeps for most of the day. It rained.'), field('sentences', 'Sentences', '2')],
    body: v => ({inputs: v.text, sentences: Number(v.sentences)}),
    draw: (r, v) => marked(v.text, r.sentences.map(s => ({start: s.start, end: s.end, type: '', title: s.score.toFixed(3)})))},
  attention: {label: 'Attention', path: '/attention',
    fields: [area('text', 'Text', 'The cat sat on the mat because it was tired.'), field('layer', 'Layer', '0'), field('head', 'Head', '0')],
    body: v => ({inputs: v.text, layer: Number(v.layer), head: Number(v.head)}), draw: attention},
  tokenize: {label: 'Tokens', path: '/tokenize', fields: [area('text', 'Text', 'Unbelievable results!')],
    body: v => ({inputs: v.text}),
    draw: r => {
      const body = node('tbody');
      for (const t of r[0]) body.append(node('tr', {}, node('td', {}, String(t.id)), node('td', {class: 'sentence'}, t.text), node('td', {}, t.start === null ? '' : `${t.start} to ${t.stop}`)));
      return node('table', {}, node('thead', {}, node('tr', {}, ...['Id', 'Token', 'Characters'].map(x => node('th', {scope: 'col'}, x)))), body);
    }}
};

// --- The form

let info = {models: []}, filled = new URLSearchParams(location.hash.slice(1));

const model = () => info.models.find(m => m.name === $('model').value);
function tasksOf(m) {
  const names = m.answers.filter(x => tasks[x]);
  if (m.answers.includes('embed')) names.push('summarize');
  return names.concat('tokenize');
}

function showFields() {
  const task = tasks[$('task').value];
  $('fields').replaceChildren(...task.fields.map(f => {
    const input = node(f.area ? 'textarea' : 'input', {name: f.name, spellcheck: 'false'});
    input.value = filled.get(f.name) ?? f.value;
    return node('label', f.area ? {class: 'wide'} : {}, f.label, input);
  }));
  $('result').replaceChildren();
  $('raw').hidden = true;
  $('time').textContent = '';
}

function showTasks() {
  $('task').replaceChildren(...tasksOf(model()).map(t => node('option', {value: t}, tasks[t].label)));
  if (filled.has('task') && tasksOf(model()).includes(filled.get('task'))) $('task').value = filled.get('task');
  showFields();
}

const headers = () => {
  const h = {'Content-Type': 'application/json'};
  if ($('key').value) h.Authorization = 'Bearer ' + $('key').value;
  return h;
};

async function run() {
  const task = tasks[$('task').value], values = {}, result = $('result');
  for (const f of $('fields').querySelectorAll('[name]')) values[f.name] = f.value;
  const path = '/' + model().name + task.path, body = JSON.stringify(task.body(values)), begin = performance.now();
  result.setAttribute('aria-busy', 'true');
  try {
    let reply = await fetch(path, {method: 'POST', headers: headers(), body});
    let json = await reply.json(), second;
    if (reply.ok && task.second) {
      const first = json;
      reply = await fetch(path, {method: 'POST', headers: headers(), body: JSON.stringify(task.second(values))});
      second = await reply.json();
      json = reply.ok ? first : second;
    }
    $('time').textContent = `${(performance.now() - begin).toFixed(1)} ms, ${reply.headers.get('x-compute-tokens') ?? '?'} tokens`;
    $('raw').hidden = false;
    $('command').textContent = `curl ${location.origin}${path} -H 'Content-Type: application/json' -d '${body.replaceAll("'", "'\\''")}'`;
    $('json').textContent = JSON.stringify(json, null, 1).slice(0, 20000);
    result.replaceChildren(reply.ok ? task.draw(json, values, second) : node('p', {class: 'wrong', role: 'alert'}, json.error));
  } catch (e) {
    result.replaceChildren(node('p', {class: 'wrong', role: 'alert'}, 'The server did not answer: ' + e.message));
  }
  result.setAttribute('aria-busy', 'false');
  document.body.dataset.done = $('task').value;
}

async function load() {
  const reply = await fetch('/info', {headers: headers()});
  if (reply.status === 401) {
    $('about').textContent = 'This server asks for an API key.';
    return;
  }
  info = await reply.json();
  $('about').textContent = `version ${info.version}, ${info.models.length} ${info.models.length === 1 ? 'model' : 'models'}`;
  $('model').replaceChildren(...info.models.map(m => node('option', {value: m.name}, m.name)));
  if (info.models.some(m => m.name === filled.get('model'))) $('model').value = filled.get('model');
  showTasks();
  if (filled.has('task')) await run();
  filled = new URLSearchParams();
}

$('form').addEventListener('submit', event => {
  event.preventDefault();
  if (info.models.length) run();
});
$('model').addEventListener('change', showTasks);
$('task').addEventListener('change', showFields);
$('key').addEventListener('change', load);
load();
