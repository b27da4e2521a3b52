/* Charts, drawn as SVG in the colors of the style sheet, so that they follow light, dark and print. */
(() => {
  const specs = JSON.parse(document.getElementById("pictures").textContent);
  const text = { labelColor: "var(--muted)", titleColor: "var(--muted)", labelFontSize: 11.5, titleFontSize: 12, titleFontWeight: 400 };
  const config = {
    background: "transparent",
    font: getComputedStyle(document.body).fontFamily,
    view: { stroke: null },
    axis: { ...text, gridColor: "var(--line)", domainColor: "var(--line)", tickColor: "var(--line)", labelPadding: 5, titlePadding: 8 },
    axisX: { grid: false },
    text: { color: "var(--muted)" },
  };
  /* Vega-Lite 6.4 looks text up on the wrong object where a tooltip belongs to the nearest mark. */
  const patch = (compiled) => {
    for (const { encode } of (compiled.marks ?? []).filter(({ name }) => name?.endsWith("_voronoi"))) {
      const tip = encode.update.tooltip;
      if (tip?.signal) tip.signal = tip.signal.replace(/(?<!datum\.)datum\[/g, "datum.datum[");
    }
    return compiled;
  };
  const options = { patch, actions: false, renderer: "svg", ast: true, config, defaultStyle: false, tooltip: { theme: "custom" } };
  const draw = (element) => {
    vegaEmbed(element, specs[Number(element.dataset.picture)], options)
      .then(() => (element.dataset.drawn = "yes"))
      .catch((error) => {
        element.textContent = `This chart could not be drawn: ${error.message}`;
        console.error(error);
      });
  };
  for (const element of document.querySelectorAll(".chart")) draw(element);
})();
