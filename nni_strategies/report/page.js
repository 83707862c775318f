// Draws every figure of the page; the data are JSON beside each one, so nothing here depends on the experiment.
for (const place of document.querySelectorAll(".figure")) {
  const figure = JSON.parse(place.querySelector("script").textContent);
  const settings = { responsive: true, displayModeBar: false };
  Plotly.newPlot(place, figure.data, figure.layout, settings);
}
// A figure inside a closed <details> has no size before it is opened.
for (const details of document.querySelectorAll("details")) {
  details.addEventListener("toggle", () => details.querySelectorAll(".figure").forEach((f) => Plotly.Plots.resize(f)));
}
addEventListener("beforeprint", () => document.querySelectorAll(".figure").forEach((f) => Plotly.Plots.resize(f)));
