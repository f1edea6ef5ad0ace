/* The page of the search: finds while one types, and keeps what is asked for in the address. */
"use strict";

(() => {
  const form = document.querySelector("form.search"), field = form.elements.q;
  const status = document.getElementById("status"), list = document.getElementById("found");
  const data = window.documentation;
  const search = new DocumentationSearch(data.sections, data.kinds);

  const element = (name, text = "", kind = "") => {
    const made = document.createElement(name);
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };

  function item(found) {
    const made = element("li"), link = element("a", found.title);
    link.href = found.address;
    if (found.heading && found.heading !== found.title) link.textContent += ` › ${found.heading}`;
    const extract = element("p");
    for (const [text, hit] of found.pieces) extract.append(hit ? element("mark", text) : text);
    made.append(link, " ", element("span", found.kind, "kind"), extract);
    return made;
  }

  function problem(text, error) {
    const place = element("pre", `${text}\n${" ".repeat(error.at)}^`);
    status.replaceChildren(error.message, place);
    list.replaceChildren();
  }

  function show() {
    const text = field.value;
    try {
      const { found, count } = search.find(text, 30);
      const many = count === 1 ? "1 place" : `${count} places`;
      status.textContent = !text.trim() ? "" : count ? `${many}${count > found.length ? `, the best ${found.length}` : ""}` : "Nothing is found. Words are joined by OR; try fewer letters and a star: retr*";
      list.replaceChildren(...found.map(item));
    } catch (error) {
      if (!(error instanceof QueryProblem)) throw error;
      problem(text, error);
    }
  }

  let waiting;
  field.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(show, 80); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    history.replaceState(null, "", `?q=${encodeURIComponent(field.value)}`);
    show();
  });
  field.value = new URLSearchParams(location.search).get("q") || "";
  show();
})();
