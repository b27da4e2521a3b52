/* One tooltip for all: shown while a thing is hovered over or has the focus, closed by Escape. */
const tooltip = (() => {
  const tip = document.getElementById("tip");
  let owner = null;

  const hide = () => {
    owner?.removeAttribute("aria-describedby");
    owner = null;
    tip.hidden = true;
  };
  const show = (element, content) => {
    if (owner !== element) hide();
    owner = element;
    tip.replaceChildren(...[content].flat());
    tip.hidden = false;
    element.setAttribute("aria-describedby", "tip");
    const box = (element.getClientRects()[0] ?? element.getBoundingClientRect());
    const { width, height } = tip.getBoundingClientRect();
    const room = document.documentElement.clientWidth;
    const left = Math.max(12, Math.min(box.left, room - width - 12));
    const below = box.bottom + 8;
    const top = below + height > window.innerHeight && box.top - height - 8 > 0 ? box.top - height - 8 : below;
    tip.style.left = `${left + window.scrollX}px`;
    tip.style.top = `${top + window.scrollY}px`;
  };
  /** Show what *content()* returns for *element*; *lit* is called with true and false. */
  const attach = (element, content, lit = () => {}) => {
    const on = () => { show(element, content()); lit(true); };
    const off = () => { if (owner === element) hide(); lit(false); };
    element.addEventListener("pointerenter", on);
    element.addEventListener("pointerleave", () => { if (document.activeElement !== element) off(); });
    element.addEventListener("focus", on);
    element.addEventListener("blur", off);
  };
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  for (const element of document.querySelectorAll("[data-tip]")) attach(element, () => element.dataset.tip);
  return { attach, hide };
})();
