// Runs in the page as one expression. Lists as sentences all elements that a reader could not see, read or name.
(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const findings = [];
  const visible = [...document.body.querySelectorAll("*")].filter((element) =>
    element.checkVisibility({ visibilityProperty: true }),
  );
  const report = (element, what) => {
    const text = (element.textContent ?? "").trim().slice(0, 40);
    findings.push(
      `<${element.localName} id="${element.id}" class="${element.className}"> "${text}": ${what}`,
    );
  };

  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    findings.push(`the page is ${document.documentElement.scrollWidth} wide in a window of ${width}`);
  }
  for (const element of visible) {
    const { left, right } = element.getBoundingClientRect();
    if (left < -0.5 || right > width + 0.5) report(element, `reaches from ${left} to ${right} of ${width}`);
  }

  const ownText = (element) =>
    [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "");
  const texts = visible.filter((element) => ownText(element) || "placeholder" in element);
  for (const element of texts) {
    const { display, overflowY } = getComputedStyle(element);
    if (display === "inline") continue;
    if (element.scrollWidth > element.clientWidth) report(element, "its text is cut at the side");
    if (overflowY === "hidden" && element.scrollHeight > element.clientHeight)
      report(element, "its text is cut below");
  }

  for (const element of visible) {
    if (!element.matches("button, input, select, textarea, summary, a, [tabindex]")) continue;
    const by = (element.getAttribute("aria-labelledby") ?? "")
      .split(" ")
      .map((id) => document.getElementById(id));
    const labels = [...(element.labels ?? []), ...by].map((label) => label?.textContent ?? "");
    const own = element.matches("button, summary, a, h3") ? element.textContent : "";
    const name = [element.getAttribute("aria-label") ?? "", ...labels, own].join("").trim();
    if (name === "") report(element, "it has no accessible name");
  }

  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (channels) => {
    const [red, green, blue] = channels.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const backgroundOf = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
      if (color[3] !== 0) report(at, "its background is half transparent, which this cannot judge");
    }
    return [255, 255, 255, 255];
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  for (const element of texts) {
    if (element.matches(":disabled")) continue;
    const colors = [getComputedStyle(element).color];
    if (element.placeholder) colors.push(getComputedStyle(element, "::placeholder").color);
    for (const color of colors) {
      const ratio = contrast(rgba(color), backgroundOf(element));
      if (ratio < 4.5) report(element, `its contrast is ${ratio.toFixed(2)}`);
    }
  }
  return { findings, texts: texts.length };
})();
