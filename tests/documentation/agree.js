/* Reads {sections, kinds, queries} from standard input, and writes what the search in the browser makes of each query. */
"use strict";

const [path] = process.argv.slice(2);
const { DocumentationSearch, QueryProblem } = require(path);
const { sections, kinds, queries } = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const search = new DocumentationSearch(sections, kinds);

process.stdout.write(JSON.stringify(queries.map((query) => {
  try {
    const { found, count } = search.find(query, 20);
    return { count, found: found.map(({ address, pieces }) => [address, pieces]) };
  } catch (error) {
    if (!(error instanceof QueryProblem)) throw error;
    return { at: error.at };
  }
})));
