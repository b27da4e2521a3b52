/* The browser of lists: filters, the completions that pass them, and the one that is selected. */
(async () => {
  const packed = document.getElementById("packed").textContent.trim();
  const count = document.getElementById("count");
  if (!packed || !count) return;

  const PAGE = 80;
  /** Kinds of titles, the most telling first: bit, sign, name, plural. */
  const KINDS = {
    violation: [2, "✕", "violation", "violations"],
    repeated: [16, "↻", "repeated title", "repeated titles"],
    seen: [32, "◉", "already seen", "seen titles"],
    out: [8, "∅", "not in the catalog", "titles outside the catalog"],
    unknown: [4, "?", "unknown to the oracle", "unknown titles"],
    hit: [1, "✓", "hit", "hits"],
  };
  const PLAIN = [0, "·", "none of these", ""];
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
    count.textContent = `The lists could not be unpacked (${error.message}); this page needs a browser from 2023 or later.`;
    return;
  }

  /** The kinds of each title; titles beyond the ranks that count have none. */
  const markOf = (row, rank) => row.marks.slice(2 * rank, 2 * rank + 2) || "--";
  const counts = (row, rank) => markOf(row, rank) !== "--";
  const kindsOf = (row) =>
    row.titles.map((_, rank) => {
      const mark = counts(row, rank) ? parseInt(markOf(row, rank), 16) : 0;
      const kinds = Object.keys(KINDS).filter((kind) => mark & KINDS[kind][0]);
      return kinds.includes("out") ? kinds.filter((kind) => kind !== "unknown") : kinds; // nobody could know it
    });
  const isHeldOut = (group) => group.when.startsWith("held out");
  const entries = data.groups.flatMap((group) =>
    group.rows.map((row) => {
      const kinds = kindsOf(row);
      return {
        group, row, kinds,
        all: new Set(kinds.flat()),
        link: `#list/${[group.run, group.when.replace("training, ", "").replace("held out, ", ""), `record ${group.record}`, row.label]
          .map((part) => encodeURIComponent(part.replaceAll(" ", "-"))).join("/")}`,
      };
    }),
  );
  const entryOf = new Map(entries.map((entry) => [entry.row, entry]));
  const textOf = (entry) =>
    (entry.text ??= [entry.row.text, ...data.prompts[entry.group.prompt].map(([, content]) => content)].join("\n").toLowerCase());

  const sign = (kind) => make("span", { class: `sign ${kind}`, "aria-hidden": "true" }, (KINDS[kind] ?? PLAIN)[1]);
  const strip = (entry) => make("span", { class: "strip" }, entry.kinds.map((kinds) => sign(kinds[0] ?? "plain")));
  const named = (kinds) => kinds.map((kind) => KINDS[kind][2]).join(", ") || PLAIN[2];
  /** Such as "5 titles, 1 violation, 2 hits". */
  const described = (entry) => {
    const parts = Object.entries(KINDS).flatMap(([kind, [, , one, many]]) => {
      const number = entry.kinds.filter((kinds) => kinds.includes(kind)).length;
      return number ? [`${number} ${kind === "seen" || kind === "out" || kind === "unknown" ? many.replace(/^titles /, "") : number === 1 ? one : many}`] : [];
    });
    return [`${entry.kinds.length} ${entry.kinds.length === 1 ? "title" : "titles"}`, ...parts].join(", ");
  };

  /* Filters */
  const form = document.getElementById("filters");
  const distinct = (values) => [...new Set(values)];
  const choice = (name, title, values, all) => {
    const select = make("select", { name }, make("option", { value: "" }, all), values.map((value) => make("option", { value }, value)));
    if (values.length > 1) form.append(make("label", {}, title, select));
    return select;
  };
  const run = choice("run", "Run", distinct(data.groups.map((group) => group.run)), "all runs");
  const when = choice("when", "From", distinct(data.groups.map((group) => group.when)), "training and held out");
  const trait = choice("trait", "Constraint", distinct(data.groups.flatMap((group) => group.constraints)).sort(), "any");
  const search = make("input", { type: "search", name: "text", placeholder: "words in the prompt or completion", autocomplete: "off" });
  form.append(make("label", { class: "grow" }, "Search", search));
  const boxes = Object.entries(KINDS).map(([kind, [, , , many]]) => [kind, many, make("input", { type: "checkbox", name: kind })]);
  form.append(make("fieldset", { class: "kinds" }, make("legend", {}, "Only lists with"),
    boxes.map(([kind, many, box]) => make("label", { class: "check" }, box, sign(kind), many))));
  form.addEventListener("submit", (event) => event.preventDefault());

  const list = document.getElementById("matches");
  const more = document.getElementById("more");
  const browser = document.getElementById("browser");
  let matches = [];
  let listed = 0;
  let current = null;

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = boxes.filter(([, , box]) => box.checked).map(([kind]) => kind);
    matches = entries.filter(
      (entry) =>
        (!run.value || entry.group.run === run.value) &&
        (!when.value || entry.group.when === when.value) &&
        (!trait.value || entry.group.constraints.includes(trait.value)) &&
        wanted.every((kind) => entry.all.has(kind)) &&
        words.every((word) => textOf(entry).includes(word)),
    );
    count.textContent = `${matches.length.toLocaleString("en")} of ${entries.length.toLocaleString("en")} completions`;
    list.replaceChildren();
    listed = 0;
    extend();
  };
  const where = ({ group, row }) =>
    `${run.length > 2 ? `${group.run}: ` : ""}${group.when}, record ${group.record}, ${isHeldOut(group) ? row.label : `${row.label} of ${group.rows.length}`}`;
  const extend = () => {
    for (const entry of matches.slice(listed, listed + PAGE)) {
      const traits = entry.group.constraints.join(", ") || "no constraint";
      const button = make(
        "button", { type: "button", "aria-label": `${where(entry)}, ${traits}: ${described(entry)}` },
        make("span", { class: "where" }, where(entry)), make("span", { class: "traits" }, traits), strip(entry),
      );
      button.addEventListener("click", () => select(entry, true));
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

  /* The selected completion */
  const shown = document.getElementById("shown");
  const section = (title, aside, ...children) => [
    make("h4", {}, title, aside ? make("span", { class: "aside" }, aside) : null), ...children,
  ];

  const written = ([title, year]) => year === null ? title : `${title} (${year})`;

  const rankTip = (entry, rank) => {
    const { group, row } = entry;
    const facts = [];
    for (const [name, value] of Object.entries(row.reward ?? {})) {
      const weight = weights[group.run]?.[name];
      const reward = Array.isArray(value) ? value[rank] : value;
      const label = `${name}${Array.isArray(value) ? "" : " (whole list)"}${weight === undefined ? "" : ` × ${weight}`}`;
      facts.push(make("dt", {}, label), make("dd", {}, signed(reward)));
    }
    if (row.advantage) facts.push(make("dt", {}, "advantage"), make("dd", {}, signed(row.advantage[rank])));
    const kind = counts(row, rank) ? named(entry.kinds[rank]) : "beyond the ranks that count";
    const evidence = row.evidence?.[rank] ?? (row.violated?.[rank] ?? []).map((name) => [name, null, "", ""]);
    const reasons = evidence.map(([name, risk, source, detail]) =>
      make("p", { class: "why" }, `${name}${risk === null ? "" : `: risk ${risk.toFixed(2)}`}`,
        source || detail ? make("span", {}, [source, detail].filter(Boolean).join(": ")) : null));
    return [make("b", {}, `${rank + 1}. ${written(row.titles[rank])}`), kind, facts.length ? make("dl", {}, facts) : "", ...reasons];
  };

  const gain = (value, most) => {
    if (value === null || value === undefined) return make("span", { class: "gain" });
    const direction = value > 0 ? "up" : value < 0 ? "down" : "zero";
    const bar = make("i", { class: direction });
    bar.style.width = `${(50 * Math.min(1, Math.abs(value) / most)).toFixed(1)}%`;
    return make("span", { class: "gain", "aria-hidden": "true" }, bar, make("span", {}, signed(value).slice(0, 5)));
  };

  const ranks = (entry, most = 1, lit = () => {}) =>
    entry.row.titles.length === 0
      ? make("p", { class: "none" }, "No title could be read.")
      : make("ol", { class: entry.row.advantage ? "ranks" : "ranks alone" }, entry.row.titles.map(([title, year], rank) => {
        const { row, kinds } = entry;
        const judged = counts(row, rank);
        const kind = judged ? named(kinds[rank]) : "beyond the ranks that count";
        const item = make(
          "li", { tabindex: 0, class: judged ? null : "beyond", "aria-label": `${rank + 1}. ${written([title, year])}: ${kind}`, "data-rank": rank },
          make("span", { class: "number" }, String(rank + 1)),
          make("span", { class: "signs2" }, judged ? (kinds[rank].length ? kinds[rank] : ["plain"]).map(sign) : null),
          make("span", {}, title, " ", make("span", { class: "year" }, year === null ? "" : `(${year})`)),
          row.advantage && judged ? gain(row.advantage[rank], most) : null,
        );
        tooltip.attach(item, () => rankTip(entry, rank), (on) => lit(rank, on));
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
    row.tokens.forEach(([rank, start, ...lengths], run) => {
      const value = rank === null ? row.list : row.advantage[rank];
      const part = make("span", { class: "run", tabindex: 0, style: shade(value, most), "data-rank": rank ?? "none" });
      if (start === null) {
        part.append(make("span", { class: "silent" }, "end"));
      } else {
        const next = row.tokens.slice(run + 1).find(([, begin]) => begin !== null);
        const stop = next ? next[1] : characters.length;
        let from = start;
        for (const length of [...lengths, null]) {
          const to = length === null ? stop : from + length;
          part.append(make("span", { class: "token" }, characters.slice(from, to).join("")));
          from = to;
        }
      }
      const tip = () => [
        make("b", {}, rank === null ? "Tokens of no rank" : `Tokens of rank ${rank + 1}`),
        make("dl", {}, make("dt", {}, "advantage"), make("dd", {}, signed(value))),
        start === null ? "The end of the completion." : "",
      ];
      tooltip.attach(part, tip, (on) => lit(rank, on));
      box.append(part);
    });
    return box;
  };

  const eventsOf = (row) => (row.events.length ? make("p", { class: "note" }, `Parser notes: ${distinct(row.events).join(", ")}`) : null);

  /** Training: one completion, its ranks beside its tokens. */
  const rollout = (entry) => {
    const { group, row } = entry;
    const most = Math.max(1e-9, ...group.rows.flatMap((other) => [...(other.advantage ?? []), other.list ?? 0].map(Math.abs)));
    const lit = (rank, on) => {
      for (const part of shown.querySelectorAll(`[data-rank="${rank ?? "none"}"]`)) part.classList.toggle("lit", on);
    };
    const shaded = row.tokens?.length;
    return make("div", { class: "halves" },
      make("div", {}, ...section("List", row.advantage ? "bar: advantage by rank" : "", ranks(entry, most, lit))),
      make("div", {}, ...section("Completion", shaded ? "shaded by the advantage of its tokens" : row.advantage ? "tokens were not stored" : "",
        completion(entry, most, lit),
        shaded ? make("p", { class: "scale" }, signed(-most), make("i"), signed(most)) : null,
        eventsOf(row))));
  };

  /** Held out: what every evaluation answered to the prompt, side by side. */
  const sides = (entry) => {
    const beside = entry.group.rows.filter((other) => other.sample === entry.row.sample).map((row) => entryOf.get(row));
    return make("div", { class: "sides" }, beside.map((other) =>
      make("section", { class: "side", "aria-current": other === entry && beside.length > 1 ? "true" : null, "aria-label": other.row.label },
        make("h4", {}, other.row.label), make("p", { class: "summary" }, described(other)), ranks(other),
        make("details", {}, make("summary", {}, "Completion"), completion(other), eventsOf(other.row)))));
  };

  const show = () => {
    tooltip.hide();
    mark();
    shown.replaceChildren();
    const entry = current;
    if (!entry) {
      shown.append(make("p", { class: "none" }, "No completion passes the filters."));
      return;
    }
    const { group, row } = entry;
    const held = isHeldOut(group);
    const step = (title, by) => {
      const button = make("button", { type: "button", disabled: !neighbor(by), "data-step": by }, title);
      button.addEventListener("click", () => {
        move(by);
        const again = shown.querySelector(`[data-step="${by}"]`);
        (again.disabled ? shown : again).focus();
      });
      return button;
    };
    shown.append(
      make("header", {},
        make("h3", {}, `${held ? group.when.replace("held out", "Held out") : group.when.replace("training, step", "Step")}, record ${group.record}`,
          held ? "" : `, completion ${row.label} of ${group.rows.length}`),
        make("div", { class: "steps" }, make("a", { href: entry.link }, "Link"), step("‹ Previous", -1), step("Next ›", 1))),
    );
    if (group.rows.length > (held ? 2 : 1)) {
      const siblings = group.rows.map((other) => {
        const sibling = entryOf.get(other);
        const button = make("button", { type: "button", "aria-current": other === row ? "true" : null,
          "aria-label": `${other.label}: ${described(sibling)}` }, other.label, strip(sibling));
        button.addEventListener("click", () => {
          select(sibling);
          shown.querySelector('.siblings [aria-current="true"]').focus();
        });
        return make("li", {}, button);
      });
      shown.append(make("ul", { class: "siblings", "aria-label": "Completions for this prompt" }, siblings));
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
        ? make("ul", { class: "chips" }, group.truth.map((title) => make("li", {}, written(title))))
        : make("p", { class: "none" }, "none")));
    }
    shown.append(held ? sides(entry) : rollout(entry));
  };

  /** Select a completion; *moved*: the reader asked for it, so bring it into view. */
  const select = (entry, moved = false) => {
    current = entry;
    if (entry) history.replaceState(null, "", entry.link);
    show();
    if (moved && window.matchMedia("(max-width: 860px)").matches) shown.scrollIntoView({ block: "start" });
    if (moved) shown.focus({ preventScroll: true });
  };
  const neighbor = (by) => {
    const index = matches.indexOf(current);
    return index < 0 ? undefined : matches[index + by];
  };
  const move = (by) => {
    const target = neighbor(by);
    if (!target) return;
    while (!target.button?.isConnected && listed < matches.length) extend();
    select(target);
    target.button?.scrollIntoView({ block: "nearest" });
  };
  const turn = (by) => {
    const rows = current?.group.rows ?? [];
    const sibling = rows[rows.indexOf(current?.row) + by];
    if (sibling) select(entryOf.get(sibling));
  };
  const KEYS = { ArrowDown: () => move(1), ArrowUp: () => move(-1), ArrowRight: () => turn(1), ArrowLeft: () => turn(-1) };
  browser.addEventListener("keydown", (event) => {
    const scrolls = event.target.closest(".chat, .completion, select, input");
    if (!KEYS[event.key] || scrolls || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const focused = list.contains(document.activeElement);
    KEYS[event.key]();
    if (focused && current.button?.isConnected) current.button.focus({ preventScroll: true });
    else if (!browser.contains(document.activeElement)) shown.focus({ preventScroll: true });
  });

  /** Show the completion that the address names, whatever the filters are. */
  const follow = () => {
    if (!location.hash.startsWith("#list/")) return false;
    const entry = entries.find(({ link }) => link === location.hash);
    if (!entry) {
      current = null;
      show();
      shown.replaceChildren(make("p", { class: "none" }, "This page does not hold the completion that the link names."));
    } else if (entry !== current) {
      if (!matches.includes(entry)) {
        form.reset();
        filter();
      }
      current = entry;
      show();
      while (!entry.button?.isConnected && listed < matches.length) extend();
      entry.button?.scrollIntoView({ block: "nearest" });
    }
    document.getElementById("lists").scrollIntoView();
    return true;
  };
  window.addEventListener("hashchange", follow);
  for (const change of ["input", "change"]) {
    form.addEventListener(change, () => {
      filter();
      current = matches.includes(current) ? current : (matches[0] ?? null);
      show();
    });
  }
  filter();
  if (!follow()) {
    current = matches[0] ?? null;
    show();
  }
})();
