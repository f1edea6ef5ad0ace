/* Searches the documentation in the browser: the language and the order of the module `documentation.search`, which it is
   held against by a test. `sections` is what `site.py` writes: [{page, kind, title, heading, text, address}]. */
"use strict";

const TEXT_FIELDS = { title: 4, heading: 6, text: 1 };
const VALUE_FIELDS = ["page", "kind"];
const FIELDS = [...Object.keys(TEXT_FIELDS), ...VALUE_FIELDS];
const SATURATION = 1.5, AVERAGE = 0.25, LENGTH = 200;
const LONGEST_QUERY = 4096, LONGEST_WORD = 64, MOST_CLAUSES = 256, DEEPEST = 32;
const ESCAPES = 'write a backslash before a character that has a meaning: + - && || ! ( ) { } [ ] ^ " ~ * ? : \\';

class QueryProblem extends Error {
  constructor(at, problem, hint = "") {
    super(hint ? `${problem}: ${hint}` : problem);
    this.at = at;
  }
}

/* ---- words */

const ALONE = "\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3134f}";
const WORD = new RegExp(`[${ALONE}]|(?:(?![${ALONE}])[\\p{L}\\p{N}])+`, "gu");
const MARKABLE = new RegExp(`[${ALONE}]|(?:(?![${ALONE}])[\\p{L}\\p{N}\\u0300-\\u036f])+`, "gu");

function folded(text) {
  const lower = text.normalize("NFKD").toLowerCase().replace(/ß/g, "ss").replace(/ς/g, "σ");
  return lower.normalize("NFKD").replace(/\p{Mn}/gu, "");
}

function words(text) {
  return (folded(text).match(WORD) || []).map((word) => word.slice(0, LONGEST_WORD));
}

/* Whether `glob` (`*`, `?`, backslash) is all of `text`, in time linear in both but for the product of the last star. */
function fits(glob, text) {
  const parts = [...glob.matchAll(/\\(.)|(\*+)|(\?)|([^\\*?])/gsu)];
  const want = parts.map((part) => part[2] ? null : part[3] ? "" : part[1] || part[4]);
  const have = [...text];
  let at = 0, here = 0, star = -1, back = 0;
  while (here < have.length) {
    if (at < want.length && want[at] !== null && (want[at] === "" || want[at] === have[here])) { at++; here++; }
    else if (at < want.length && want[at] === null) { star = at++; back = here; }
    else if (star >= 0) { at = star + 1; here = ++back; }
    else return false;
  }
  while (at < want.length && want[at] === null) at++;
  return at === want.length;
}

/* ---- from a query's text to what it means */

const TOKEN = new RegExp([
  "(?<space>\\s+)", '(?<and>&&|AND(?=[\\s()"]|$))', '(?<or>\\|\\||OR(?=[\\s()"]|$))', '(?<not>!|NOT(?=[\\s()"]|$))',
  "(?<mark>[+\\-()\\[\\]{}:])", '"(?<phrase>(?:[^"\\\\]|\\\\.)*)"', "(?<suffix>[~^])(?<amount>[0-9.]*)",
  '(?<term>(?:[^\\s+\\-!():^\\[\\]"{}~\\\\]|\\\\.)(?:[^\\s!():^\\[\\]"{}~\\\\]|\\\\.)*)',
].join("|"), "suy");
const COMPARE = /[<>]=?/suy;
const INSIDE = /(?:[^\]}"\\]|\\.|"(?:[^"\\]|\\.)*")*/suy;
const STARTS = ["term", "phrase", "(", "[", "{", "+", "-", "not"];

const plain = (raw) => raw.replace(/\\(.)/gsu, "$1");

function at(pattern, text, offset) {
  pattern.lastIndex = offset;
  return pattern.exec(text);
}

function tokenize(text) {
  const tokens = [];
  let offset = 0;
  while (offset < text.length) {
    const afterField = tokens.length > 0 && tokens[tokens.length - 1].kind === ":";
    const compare = afterField && at(COMPARE, text, offset);
    const match = compare || at(TOKEN, text, offset);
    if (!match) throw noToken(text, offset);
    const end = offset + match[0].length;
    if (compare) tokens.push({ kind: "compare", text: match[0], offset, end });
    else if (match.groups.space === undefined) tokens.push(token(match, offset, end));
    offset = end;
    const last = tokens[tokens.length - 1];
    if (last && "[{".includes(last.kind) && last.end === offset) {
      const inside = at(INSIDE, text, offset);
      const stop = offset + inside[0].length;
      if (!"]}".includes(text[stop] || "x")) {
        throw new QueryProblem(offset - 1, "this range is never closed", "write [low TO high]");
      }
      tokens.push({ kind: "term", text: inside[0], offset, end: stop });
      offset = stop;
    }
  }
  return [...tokens, { kind: "end", text: "", offset: text.length, end: text.length }];
}

function token(match, offset, end) {
  const found = match.groups;
  if (found.mark !== undefined) return { kind: found.mark, text: found.mark, offset, end };
  if (found.suffix !== undefined) return { kind: found.suffix, text: found.amount, offset, end };
  const kind = ["and", "or", "not", "phrase", "term"].find((name) => found[name] !== undefined);
  return { kind, text: found[kind], offset, end };
}

function noToken(text, offset) {
  if (text[offset] === '"') {
    return new QueryProblem(offset, "this quotation mark has no second one", 'write \\" for the mark itself');
  }
  if (text[offset] === "\\") {
    return new QueryProblem(offset, "nothing follows this backslash", "write \\\\ for a backslash");
  }
  return new QueryProblem(offset, `'${text[offset]}' cannot stand here`, ESCAPES);
}

class Parser {
  constructor(text, known) {
    if (text.length > LONGEST_QUERY) {
      throw new QueryProblem(LONGEST_QUERY, `a query has at most ${LONGEST_QUERY} characters`, "ask for less at once");
    }
    this.text = text;
    this.known = known;
    this.tokens = tokenize(text);
    this.here = 0;
    this.clauses = 0;
    this.depth = 0;
  }

  get next() { return this.tokens[this.here]; }
  take() { return this.tokens[this.here++]; }
  takes(kind) { return this.next.kind === kind && (this.here++, true); }
  problem(problem, hint = "", token = this.next) { return new QueryProblem(token.offset, problem, hint); }

  query() {
    if (this.takes("end")) return { kind: "everything" };
    const node = this.row("");
    if (!this.takes("end")) throw this.problem("this bracket was never opened", "write \\) for the bracket itself");
    return node;
  }

  row(field) {
    const clauses = [];
    let either = false;
    while (STARTS.includes(this.next.kind) || (!clauses.length && !["end", ")"].includes(this.next.kind))) {
      const [sign, node] = this.conjunction(field);
      const before = either;
      either = this.takes("or");
      clauses.push({ sign, node, either: before || either });
      if (either && !STARTS.includes(this.next.kind)) {
        throw this.problem("nothing follows this OR", 'write "OR" for the word', this.tokens[this.here - 1]);
      }
    }
    if (!clauses.length) throw this.problem("there is nothing in these brackets", "write \\( and \\) for the brackets");
    if (!["end", ")"].includes(this.next.kind)) throw this.misplaced();
    return joined(clauses);
  }

  conjunction(field) {
    let [sign, node] = this.signed(field);
    if (this.next.kind !== "and") return [sign, node];
    const parts = [sign === "-" ? { kind: "not", part: node } : node];
    while (this.next.kind === "and") {
      const operator = this.take();
      if (!STARTS.includes(this.next.kind)) {
        throw this.problem("nothing follows this AND", 'write "AND" for the word', operator);
      }
      [sign, node] = this.signed(field);
      parts.push(sign === "-" ? { kind: "not", part: node } : node);
    }
    return ["", { kind: "and", parts }];
  }

  signed(field) {
    const first = this.next, signs = [];
    while (["+", "-", "not"].includes(this.next.kind)) signs.push(this.take().kind);
    if (signs.length && !STARTS.includes(this.next.kind)) {
      throw this.problem(`nothing follows this ${plain(this.text.slice(first.offset, first.end))}`, ESCAPES, first);
    }
    const node = this.primary(field);
    if (signs.filter((kind) => kind !== "+").length % 2) return ["-", node];
    return [signs.length ? "+" : "", node];
  }

  primary(field) {
    if (++this.clauses > MOST_CLAUSES) {
      throw this.problem(`a query has at most ${MOST_CLAUSES} parts`, "ask for less at once");
    }
    const token = this.take();
    if (token.kind === "(") return this.group(field, token);
    if (token.kind === "[" || token.kind === "{") return this.range(field, token);
    if (token.kind === "term" && this.next.kind === ":") return this.within(field, token);
    if (token.kind === "term" || token.kind === "phrase") return this.withoutSuffix(this.said(field, token));
    this.here--;
    throw this.misplaced();
  }

  group(field, opening) {
    if (++this.depth > DEEPEST) {
      throw this.problem(`brackets go at most ${DEEPEST} deep`, "ask for less at once", opening);
    }
    const node = this.row(field);
    if (!this.takes(")")) throw this.problem("this bracket is never closed", "write \\( for the bracket itself", opening);
    this.depth--;
    return this.withoutSuffix(node);
  }

  range(field, opening) {
    const inside = this.take(), closing = this.take();
    const found = [...inside.text.matchAll(/\s+TO\s+/gu)];
    if (found.length !== 1) throw this.problem("a range is two ends with TO between them", "write [low TO high]", inside);
    if (!VALUE_FIELDS.includes(field)) {
      throw this.problem("ranges are of dates, sizes, numbers and single values", "name a field for it", opening);
    }
    const cut = found[0].index;
    const [low, high] = [inside.text.slice(0, cut), inside.text.slice(cut + found[0][0].length)].map((raw) => {
      const end = raw.trim();
      const bare = end.length > 1 && end[0] === '"' && end.endsWith('"') ? end.slice(1, -1) : end;
      return bare === "*" ? null : folded(plain(bare));
    });
    return this.withoutSuffix({
      kind: "between", field, low, high, takesHigh: closing.kind === "]", leavesLow: opening.kind === "{",
    });
  }

  within(outer, name) {
    this.take();
    if (name.text === "*" && this.next.text === "*") { this.take(); return { kind: "everything" }; }
    if (outer) throw this.problem(`this is looked for in ${outer} already`, 'write "…" round a colon', name);
    const written = plain(name.text), field = written.toLowerCase();
    if (!FIELDS.includes(field)) {
      throw this.problem(`there is no field '${written}'`, `fields are ${FIELDS.join(", ")}; write "…" round a text with a colon in it`, name);
    }
    if (this.next.kind === "compare") {
      const operator = this.take(), token = this.take(), isTerm = token.kind === "term";
      if (!isTerm) this.here--;
      const end = isTerm ? token.end : operator.end;
      return this.said(field, { kind: "term", text: this.text.slice(operator.offset, end), offset: operator.offset, end });
    }
    if (!["term", "phrase", "(", "[", "{"].includes(this.next.kind)) {
      throw this.problem(`nothing to look for in ${field}`, `write ${field}:word, or -${field}:word for mail without it`);
    }
    return this.primary(field);
  }

  said(field, token) {
    const isValue = VALUE_FIELDS.includes(field);
    const isWild = token.kind === "term" && /(?<!\\)(?:\\\\)*[*?]/su.test(token.text);
    if (isWild && !token.text.replace(/^\*+|\*+$/gu, "")) return field ? { kind: "present", field } : { kind: "everything" };
    if (isValue) return isWild ? { kind: "like", field, glob: folded(token.text) } : this.value(field, token);
    return isWild ? this.wild(field, token) : this.phrase(field, token);
  }

  phrase(field, token) {
    const found = words(plain(token.text));
    if (!found.length) {
      throw this.problem("there is no letter and no digit in this", "write words to look for", token);
    }
    return { kind: "phrase", field, words: found, open: false };
  }

  wild(field, token) {
    const begun = token.text.endsWith("*") ? token.text.slice(0, -1) : token.text;
    if (begun !== token.text && !/(?<!\\)(?:\\\\)*[*?]/su.test(begun)) {
      const found = words(plain(begun));
      if (found.length && /[\p{L}\p{N}]$/u.test(plain(begun))) return { kind: "phrase", field, words: found, open: true };
    }
    const glob = folded(token.text);
    if (words(plain(glob.replace(/[*?]/gu, ""))).length !== 1) {
      throw this.problem("a star or a question mark is part of one word", "write the words apart, with AND", token);
    }
    return { kind: "like", field, glob };
  }

  value(field, token) {
    const value = folded(plain(token.text));
    const known = this.known[field] || [];
    if (known.length && !known.includes(value)) {
      throw this.problem(`${field} is never '${plain(token.text)}'`, `it is ${known.join(", ")}`, token);
    }
    return { kind: "equal", field, value };
  }

  withoutSuffix(node) {
    if (this.next.kind === "^") {
      throw this.problem(
        "boosts change only the order in which things are shown, which is always the same here",
        "leave out ^ and its number",
      );
    }
    if (this.next.kind === "~") {
      throw this.problem(
        "words that are merely like another, or near it, are not looked for",
        "leave out ~; write a beginning with a star, or several words with AND",
      );
    }
    return node;
  }

  misplaced() {
    const token = this.next, word = this.text.slice(token.offset, token.end);
    if (token.kind === ":") return this.problem("a colon follows the name of a field", "write \\: for the colon itself");
    if (token.kind === "and" || token.kind === "or") {
      return this.problem(`${word} stands between two things`, `write "${word.toLowerCase()}" for the word`);
    }
    if (token.kind === "end") return this.problem("something is missing at the end");
    return this.problem(`'${word}' cannot stand here`, ESCAPES);
  }
}

function joined(clauses) {
  const required = [], prohibited = [], optional = [];
  for (const { sign, node, either } of clauses) {
    if (sign === "-" && !either) prohibited.push({ kind: "not", part: node });
    else if (sign === "+") required.push(node);
    else optional.push(sign === "-" ? { kind: "not", part: node } : node);
  }
  const positive = required.length ? required : optional.length ? [{ kind: "or", parts: optional }] : [];
  return { kind: "and", parts: [...positive, ...prohibited] };
}

/* ---- finding */

class Entry {
  constructor(section) { this.section = section; this.lists = {}; this.counted = {}; }

  list(field) {
    return this.lists[field] || (this.lists[field] = words(this.section[field]));
  }

  counts(field) {
    if (!this.counted[field]) {
      const counts = this.counted[field] = new Map();
      for (const word of this.list(field)) counts.set(word, (counts.get(word) || 0) + 1);
    }
    return this.counted[field];
  }

  matches(node) {
    const value = node.field && VALUE_FIELDS.includes(node.field) ? folded(this.section[node.field]) : "";
    switch (node.kind) {
      case "everything": return true;
      case "not": return !this.matches(node.part);
      case "and": return node.parts.every((part) => this.matches(part));
      case "or": return node.parts.some((part) => this.matches(part));
      case "equal": return value === node.value;
      case "present": return this.section[node.field] !== "";
      case "between":
        return (node.low === null || (node.leavesLow ? value > node.low : value >= node.low))
          && (node.high === null || (node.takesHigh ? value <= node.high : value < node.high));
      case "like":
        if (VALUE_FIELDS.includes(node.field)) return fits(node.glob, value);
        return this.fields(node.field).some((field) => [...this.counts(field).keys()].some((word) => fits(node.glob, word)));
      default: return this.fields(node.field).some((field) => hasPhrase(this.list(field), node));
    }
  }

  fields(field) { return field ? [field] : Object.keys(TEXT_FIELDS); }
}

function hasPhrase(there, { words: phrase, open }) {
  const last = phrase.length - 1;
  for (let start = 0; start + last < there.length; start++) {
    if (phrase.every((word, step) => step === last && open ? there[start + step].startsWith(word) : there[start + step] === word)) {
      return true;
    }
  }
  return false;
}

function wanted(node) {
  const all = [];
  const walk = (each) => {
    if (each.kind === "and" || each.kind === "or") each.parts.forEach(walk);
    else if (each.kind === "like") all.push({ field: each.field, word: "", open: false, glob: each.glob });
    else if (each.kind === "phrase") {
      each.words.forEach((word, step) => all.push({ field: each.field, word, open: each.open && step === each.words.length - 1, glob: "" }));
    }
  };
  walk(node);
  const seen = new Set();
  return all.filter((each) => !seen.has(JSON.stringify(each)) && seen.add(JSON.stringify(each)));
}

const accepts = (each, word) => each.glob ? fits(each.glob, word) : each.open ? word.startsWith(each.word) : word === each.word;

class DocumentationSearch {
  constructor(sections, kinds) {
    this.entries = sections.map((section) => new Entry(section));
    this.known = { kind: kinds };
  }

  get mean() {
    if (this.found === undefined) {
      const total = this.entries.reduce((sum, entry) => sum + entry.list("text").length, 0);
      this.found = Math.max(1, total / Math.max(1, this.entries.length));
    }
    return this.found;
  }

  /* The best `limit` sections, each with its extract, and how many there are. Throws QueryProblem. */
  find(text, limit = 20) {
    if (!text.trim()) return { found: [], count: 0 };
    const node = new Parser(text, this.known).query();
    const fitting = this.entries.filter((entry) => entry.matches(node));
    const asked = wanted(node), scores = this.scores(fitting, asked).map((score) => Math.round(score * 1e9));
    const order = fitting.map((_, at) => at).sort((one, two) => scores[two] - scores[one] || one - two).slice(0, limit);
    const shown = asked.filter((each) => each.field === "" || each.field === "text");
    return {
      found: order.map((at) => ({ ...fitting[at].section, pieces: extract(fitting[at].section.text, shown) })),
      count: fitting.length,
    };
  }

  scores(entries, asked) {
    const scores = entries.map(() => 0);
    for (const each of asked) {
      const amounts = entries.map((entry) => amount(entry, each));
      const rare = Math.log(1 + this.entries.length / (amounts.filter((many) => many > 0).length + 0.5));
      amounts.forEach((many, at) => {
        const norm = 1 - AVERAGE + AVERAGE * entries[at].list("text").length / this.mean;
        scores[at] += rare * many / (many + SATURATION * norm);
      });
    }
    return scores;
  }
}

function amount(entry, each) {
  let sum = 0;
  for (const field of each.field ? [each.field] : Object.keys(TEXT_FIELDS)) {
    if (!each.glob && !each.open) sum += TEXT_FIELDS[field] * (entry.counts(field).get(each.word) || 0);
    else for (const [word, count] of entry.counts(field)) if (accepts(each, word)) sum += TEXT_FIELDS[field] * count;
  }
  return sum;
}

/* ---- extracts */

function extract(text, asked) {
  const hits = [];
  for (const match of text.matchAll(MARKABLE)) {
    for (const word of words(match[0])) {
      const which = asked.findIndex((each) => accepts(each, word));
      if (which >= 0) hits.push([match.index, match.index + match[0].length, which]);
    }
  }
  const start = bestStart(text, hits);
  return cut(text, start, wordEnd(text, Math.min(text.length, start + LENGTH)), hits)
    .map(([piece, hit]) => [hit ? piece : piece.split("\n").join(" · "), hit]);
}

function bestStart(text, hits) {
  let best = [0, 0], chosen = 0;
  hits.forEach(([start], first) => {
    const inside = [];
    for (const hit of hits.slice(first)) {
      if (hit[1] > start + Math.floor(LENGTH * 3 / 4)) break;
      inside.push(hit[2]);
    }
    const value = [new Set(inside).size, inside.length];
    if (value[0] > best[0] || (value[0] === best[0] && value[1] > best[1])) { best = value; chosen = start; }
  });
  const line = text.lastIndexOf("\n", chosen - 1) + 1;
  if (chosen === 0 || chosen - line <= Math.floor(LENGTH / 3)) return chosen === 0 ? 0 : line;
  const space = text.slice(line, chosen - Math.floor(LENGTH / 4)).lastIndexOf(" ");
  return space >= 0 ? line + space + 1 : chosen;
}

function wordEnd(text, at) {
  if (at >= text.length) return text.length;
  const space = Math.max(text.lastIndexOf(" ", at - 1), text.lastIndexOf("\n", at - 1));
  return space > at - Math.floor(LENGTH / 4) ? space : at;
}

function cut(text, start, end, hits) {
  const pieces = [];
  let here = start;
  if (start && text[start - 1] !== "\n") pieces.push(["… ", false]);
  for (const [begin, stop] of hits) {
    if (begin < here || stop > end) continue;
    if (begin > here) pieces.push([text.slice(here, begin), false]);
    pieces.push([text.slice(begin, stop), true]);
    here = stop;
  }
  if (here < end) pieces.push([text.slice(here, end), false]);
  if (end < text.length) pieces.push([" …", false]);
  return pieces;
}

if (typeof module !== "undefined") module.exports = { DocumentationSearch, QueryProblem };
