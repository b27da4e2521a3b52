/* The browser of lists: filters, the completions found, and the one that is looked at. */
(async () => {
  const packed = document.getElementById("packed").textContent.trim();
  const count = document.getElementById("count");
  if (!packed || !count) return;

  const PAGE = 80;
  const BITS = { hit: 1, violation: 2, unknown: 4, out: 8 };
  const SIGNS = {
    violation: ["✕", "violation"], hit: ["✓", "hit"], out: ["∅", "out of catalog"],
    unknown: ["?", "unknown to the oracle"], plain: ["·", "neither hit nor violation"],
  };
  const weights = JSON.parse(document.getElementById("weights").textContent);

  /** Make an element; strings become text, never markup. */
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
  };
  const signed = (number) =>
    number === null || number === undefined ? "no value" : (number > 0 ? "+" : number < 0 ? "−" : "") + Math.abs(number).toFixed(3);

  const unpack = async () => {
    const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };
  let data;
  try {
    data = await unpack();
  } catch (error) {
    count.textContent = `The lists could not be unpacked (${error.message}); a browser of 2023 or later is needed.`;
    return;
  }

  /** What the ranks are: the kinds of each, the most telling first. */
  const counts = (row, place) => (row.marks[place] ?? "-") !== "-";
  const kindsOf = (row) =>
    row.titles.map((_, place) => {
      const mark = counts(row, place) ? parseInt(row.marks[place], 16) : 0;
      const kinds = ["violation", "hit", "out", "unknown"].filter((kind) => mark & BITS[kind]);
      if (kinds.includes("out")) return kinds.filter((kind) => kind !== "unknown"); // nobody could know it
      return kinds.length ? kinds : ["plain"];
    });
  const entries = data.groups.flatMap((group) =>
    group.rows.map((row, place) => {
      const kinds = kindsOf(row);
      return {
        group, row, place, kinds,
        text: [row.text, ...data.prompts[group.prompt].map(([, content]) => content)].join("\n").toLowerCase(),
        has: (kind) => kinds.some((found) => found.includes(kind)),
      };
    }),
  );
  const entryOf = new Map(entries.map((entry) => [entry.row, entry]));

  const sign = (kind) => make("span", { class: `sign ${kind}`, "aria-hidden": "true" }, SIGNS[kind][0]);
  const strip = (entry) => make("span", { class: "strip" }, entry.kinds.map(([kind]) => sign(kind)));
  const described = (entry) => {
    const parts = ["violation", "hit"].map((kind) => [entry.kinds.filter((kinds) => kinds.includes(kind)).length, kind]);
    return `${entry.kinds.length} titles, ${parts.map(([n, kind]) => `${n} ${kind}${n === 1 ? "" : "s"}`).join(", ")}`;
  };

  /* Filters */
  const form = document.getElementById("filters");
  const choice = (name, title, values, all) => {
    const select = make("select", { name }, make("option", { value: "" }, all), values.map((value) => make("option", { value }, value)));
    if (values.length > 1) form.append(make("label", {}, title, select));
    return select;
  };
  const distinct = (values) => [...new Set(values)];
  const run = choice("run", "Run", distinct(data.groups.map((group) => group.run)), "all runs");
  const when = choice("when", "From", distinct(data.groups.map((group) => group.when)), "training and held out");
  const trait = choice("trait", "Constraint", distinct(data.groups.flatMap((group) => group.constraints)).sort(), "any");
  const check = (name, title) => {
    const box = make("input", { type: "checkbox", name });
    form.append(make("label", { class: "check" }, box, title));
    return box;
  };
  const violating = check("violation", "has a violation");
  const hitting = check("hit", "has a hit");
  const search = make("input", { type: "search", name: "text", placeholder: "words of prompt or completion", autocomplete: "off" });
  form.append(make("label", { class: "grow" }, "Search", search));
  form.addEventListener("submit", (event) => event.preventDefault());

  const list = document.getElementById("found");
  const more = document.getElementById("more");
  let matches = [];
  let listed = 0;
  let current = null;

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    matches = entries.filter(
      (entry) =>
        (!run.value || entry.group.run === run.value) &&
        (!when.value || entry.group.when === when.value) &&
        (!trait.value || entry.group.constraints.includes(trait.value)) &&
        (!violating.checked || entry.has("violation")) &&
        (!hitting.checked || entry.has("hit")) &&
        words.every((word) => entry.text.includes(word)),
    );
    count.textContent = `${matches.length.toLocaleString("en")} of ${entries.length.toLocaleString("en")} completions`;
    list.replaceChildren();
    listed = 0;
    extend();
    show(matches.includes(current) ? current : (matches[0] ?? null));
  };
  const extend = () => {
    for (const entry of matches.slice(listed, listed + PAGE)) {
      const { group, row } = entry;
      const label = group.when.startsWith("held out") ? row.label : `${row.label} of ${group.rows.length}`;
      const button = make(
        "button", { type: "button" },
        make("span", { class: "where" }, `${run.length > 2 ? `${group.run}: ` : ""}${group.when}, record ${group.record}, ${label}`),
        make("span", { class: "traits" }, group.constraints.join(", ") || "no constraint"),
        strip(entry),
      );
      button.setAttribute("aria-label", `${button.textContent.replace(/[✕✓∅?·]+$/, "")}: ${described(entry)}`);
      button.addEventListener("click", () => show(entry, true));
      entry.button = button;
      list.append(make("li", {}, button));
    }
    listed = Math.min(matches.length, listed + PAGE);
    more.hidden = listed >= matches.length;
    mark();
  };
  const mark = () => {
    for (const button of list.querySelectorAll("[aria-current]")) button.removeAttribute("aria-current");
    if (matches.slice(0, listed).includes(current)) current.button.setAttribute("aria-current", "true");
  };
  more.addEventListener("click", () => {
    const next = listed;
    extend();
    matches[next]?.button.focus();
  });

  /* The completion that is looked at */
  const shown = document.getElementById("shown");
  const section = (title, aside, ...children) => [
    make("h4", {}, title, aside ? make("span", { class: "aside" }, aside) : null), ...children,
  ];

  const rankTip = (entry, place) => {
    const { group, row } = entry;
    const [title, year] = row.titles[place];
    const facts = [];
    for (const [name, value] of Object.entries(row.reward ?? {})) {
      const weight = weights[group.run]?.[name];
      const reward = Array.isArray(value) ? value[place] : value;
      const label = `${name}${Array.isArray(value) ? "" : " (whole list)"}${weight === undefined ? "" : ` × ${weight}`}`;
      facts.push(make("dt", {}, label), make("dd", {}, signed(reward)));
    }
    if (row.advantage) facts.push(make("dt", {}, "advantage"), make("dd", {}, signed(row.advantage[place])));
    const judged = counts(row, place);
    const said = judged ? entry.kinds[place].map((kind) => SIGNS[kind][1]).join(", ") : "no rank that counts";
    const evidence = row.evidence?.[place] ?? (row.violated?.[place] ?? []).map((name) => [name, null, "", ""]);
    const reasons = evidence.map(([name, risk, source, detail]) =>
      make("p", { class: "why" }, `${name}${risk === null ? "" : `: risk ${risk.toFixed(2)}`}`,
        source || detail ? make("span", {}, [source, detail].filter(Boolean).join(": ")) : null));
    return [make("b", {}, `${place + 1}. ${title} (${year})`), said, facts.length ? make("dl", {}, facts) : "", ...reasons];
  };

  const gain = (value, most) => {
    if (value === null || value === undefined) return make("span", { class: "gain" });
    const direction = value > 0 ? "up" : value < 0 ? "down" : "zero";
    const bar = make("i", { class: direction });
    bar.style.width = `${(50 * Math.min(1, Math.abs(value) / most)).toFixed(1)}%`;
    return make("span", { class: "gain", "aria-hidden": "true" }, bar, make("span", {}, signed(value).slice(0, 5)));
  };

  const ranks = (entry, most, lit) =>
    make("ol", { class: entry.row.advantage ? "ranks" : "ranks alone" }, entry.row.titles.map(([title, year], place) => {
      const { row, kinds } = entry;
      const judged = counts(row, place);
      const said = judged ? kinds[place].map((kind) => SIGNS[kind][1]).join(", ") : "no rank that counts";
      const item = make(
        "li", { tabindex: 0, class: judged ? null : "beyond", "aria-label": `${place + 1}. ${title} (${year}): ${said}`, "data-rank": place },
        make("span", { class: "place" }, String(place + 1)),
        make("span", { class: "signs2" }, judged ? kinds[place].map(sign) : null),
        make("span", {}, title, " ", make("span", { class: "year" }, `(${year})`)),
        row.advantage && judged ? gain(row.advantage[place], most) : null,
      );
      tooltip.attach(item, () => rankTip(entry, place), (on) => lit(place, on));
      return item;
    }));

  const shade = (value, most) => {
    if (!value) return "";
    const share = Math.sqrt(Math.min(1, Math.abs(value) / most)); // a few large ones would hide the rest
    return `background: rgba(var(--${value > 0 ? "up" : "down"}), ${(0.48 * share).toFixed(3)})`;
  };

  /** The completion as its tokens were credited; indices count characters, as Python does. */
  const completion = (entry, most, lit) => {
    const { row } = entry;
    const characters = [...row.text];
    const box = make("div", { class: "completion" });
    if (!row.tokens?.length) {
      box.append(row.text);
      return box;
    }
    row.tokens.forEach(([rank, start, ...lengths], place) => {
      const value = rank === null ? row.list : row.advantage[rank];
      const run = make("span", { class: "run", tabindex: 0, style: shade(value, most), "data-rank": rank ?? "none" });
      if (start === null) {
        run.append(make("span", { class: "silent" }, "end"));
      } else {
        const next = row.tokens.slice(place + 1).find(([, begin]) => begin !== null);
        const stop = next ? next[1] : characters.length;
        let from = start;
        for (const length of [...lengths, null]) {
          const to = length === null ? stop : from + length;
          run.append(make("span", { class: "token" }, characters.slice(from, to).join("")));
          from = to;
        }
      }
      const tip = () => [
        make("b", {}, rank === null ? "Tokens of no rank" : `Tokens of rank ${rank + 1}`),
        make("dl", {}, make("dt", {}, "advantage"), make("dd", {}, signed(value))),
        start === null ? "The end of the completion." : "",
      ];
      tooltip.attach(run, tip, (on) => lit(rank, on));
      box.append(run);
    });
    return box;
  };

  const show = (entry, moved = false) => {
    current = entry;
    tooltip.hide();
    mark();
    shown.replaceChildren();
    if (!entry) {
      shown.append(make("p", { class: "none" }, "No completion passes the filters."));
      return;
    }
    const { group, row } = entry;
    const most = Math.max(1e-9, ...group.rows.flatMap((other) => [...(other.advantage ?? []), other.list ?? 0].map(Math.abs)));
    const lit = (rank, on) => {
      for (const part of shown.querySelectorAll(`[data-rank="${rank ?? "none"}"]`)) part.classList.toggle("lit", on);
    };
    const step = (title, by) => {
      const target = matches[matches.indexOf(entry) + by];
      const button = make("button", { type: "button", disabled: !target || !matches.includes(entry), "data-step": by }, title);
      button.addEventListener("click", () => {
        while (!target.button?.isConnected && listed < matches.length) extend();
        show(target);
        target.button?.scrollIntoView({ block: "nearest" });
        const again = shown.querySelector(`[data-step="${by}"]`);
        (again.disabled ? shown : again).focus();
      });
      return button;
    };
    const held = group.when.startsWith("held out");
    shown.append(
      make("header", {},
        make("h3", {}, `${held ? "Held out" : group.when.replace("training, step", "Step")}, record ${group.record}, `,
          held ? row.label : `completion ${row.label} of ${group.rows.length}`),
        make("div", { class: "steps" }, step("‹ Previous", -1), step("Next ›", 1))),
    );
    if (group.rows.length > 1) {
      const siblings = group.rows.map((other) => {
        const sibling = entryOf.get(other);
        const button = make("button", { type: "button", "aria-current": other === row ? "true" : null,
          "aria-label": `${other.label}: ${described(sibling)}` }, other.label, strip(sibling));
        button.addEventListener("click", () => {
          show(sibling);
          shown.querySelector('.siblings [aria-current="true"]').focus();
        });
        return make("li", {}, button);
      });
      shown.append(make("ul", { class: "siblings", "aria-label": held ? "Completions to this prompt" : "Siblings" }, siblings));
    }
    const broken = new Set(Object.values(row.violated ?? {}).flat());
    shown.append(
      ...section("Prompt", null, make("ul", { class: "chat", tabindex: 0, "aria-label": "Prompt" },
        data.prompts[group.prompt].map(([role, content]) => make("li", { class: role }, make("span", { class: "role" }, role), content)))),
      ...section("Constraints", null, group.constraints.length
        ? make("ul", { class: "chips" }, group.constraints.map((name) =>
          make("li", { class: broken.has(name) ? "broken" : null }, broken.has(name) ? `✕ ${name}` : name)))
        : make("p", { class: "none" }, "none")),
    );
    if (group.truth) {
      shown.append(...section("Ground truth", null, group.truth.length
        ? make("ul", { class: "chips" }, group.truth.map(([title, year]) => make("li", {}, `${title} (${year})`)))
        : make("p", { class: "none" }, "none")));
    }
    const events = row.events.length ? `what the parser noticed: ${distinct(row.events).join(", ")}` : "";
    const shaded = row.tokens?.length;
    shown.append(
      make("div", { class: "halves" },
        make("div", {}, ...section("List", row.advantage ? "bar: advantage by rank" : "",
          row.titles.length ? ranks(entry, most, lit) : make("p", { class: "none" }, "no title was read"))),
        make("div", {}, ...section("Completion", shaded ? "shaded by the advantage of its tokens" : row.advantage ? "tokens were not stored" : "",
          completion(entry, most, lit),
          shaded ? make("p", { class: "scale" }, signed(-most), make("i"), signed(most)) : null,
          events ? make("p", { class: "note" }, events) : null))),
    );
    if (moved && window.matchMedia("(max-width: 860px)").matches) shown.scrollIntoView({ block: "start" });
    if (moved) shown.focus({ preventScroll: true });
  };

  for (const change of ["input", "change"]) form.addEventListener(change, filter);
  filter();
})();
