// Sliders over pictures: the range input holds the place, so keys work by themselves; a finger or a mouse may grab the
// picture anywhere.
for (const figure of document.querySelectorAll(".compare")) {
  const stage = figure.querySelector(".stage");
  const range = figure.querySelector("input[type=range]");
  const after = () => figure.querySelector("img.after:not([hidden])");
  const show = () => {
    stage.style.setProperty("--at", range.value + "%");
    range.setAttribute("aria-valuetext", range.value + "% " + stage.dataset.before + ", the rest " + after().dataset.label);
    figure.querySelector(".right").textContent = after().dataset.label;
  };
  const grab = (event) => {
    const box = stage.getBoundingClientRect();
    range.value = Math.round((100 * (event.clientX - box.left)) / box.width);
    show();
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault(); // or the browser would move the range by its own reckoning
    range.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    grab(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) grab(event);
  });
  range.addEventListener("input", show);
  for (const radio of figure.querySelectorAll("input[type=radio]")) {
    radio.addEventListener("change", () => {
      for (const image of figure.querySelectorAll("img.after")) image.hidden = image.dataset.label !== radio.value;
      show();
    });
  }
  show();
}

// Curves: one range chooses a step for all curves of a training; a mouse over any of them does the same.
for (const training of document.querySelectorAll(".training")) {
  const steps = JSON.parse(training.dataset.steps);
  const range = training.querySelector("input[type=range]");
  const charts = [...training.querySelectorAll(".chart")].map((chart) => ({
    points: JSON.parse(chart.dataset.points),
    svg: chart.querySelector("svg"),
    marker: chart.querySelector(".marker"),
    dot: chart.querySelector(".dot"),
    value: chart.querySelector(".value"),
  }));
  const show = () => {
    const at = Number(range.value);
    training.querySelector(".step").textContent = steps[at];
    range.setAttribute("aria-valuetext", "step " + steps[at]);
    for (const { points, marker, dot, value } of charts) {
      const [x, y, label] = points[at];
      marker.setAttribute("transform", "translate(" + x + " 0)");
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", y);
      value.textContent = label;
    }
  };
  range.addEventListener("input", show);
  for (const { points, svg } of charts) {
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
      range.value = points.reduce((best, point, i) => (Math.abs(point[0] - x) < Math.abs(points[best][0] - x) ? i : best), 0);
      show();
    });
  }
  show();
}
