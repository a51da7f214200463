/* The boxes of a page: blocks of the ordinary flow, and those of rows and grids with all of their row, so that whoever
   compares two languages can leave out what depends on how long words are. Distances are from the edges where writing
   begins (start) and ends (end), in CSS pixels. */
(() => {
  const rtl = getComputedStyle(document.documentElement).direction === "rtl";
  const wide = document.documentElement.clientWidth;
  const found = [];
  const BLOCK = /^(block|flex|grid|list-item|flow-root|table)$/;
  const edges = (box) => (rtl ? { start: wide - box.right, end: box.left } : { start: box.left, end: wide - box.right });
  const walk = (element, path) => {
    const style = getComputedStyle(element);
    const words = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.nodeValue.trim());
    const kind = /flex$/.test(style.display) ? (!style.flexDirection.startsWith("row") ? "flow" : words ? "words" : "row")
      : /grid$/.test(style.display) ? "row" : /^table/.test(style.display) ? "row" : "flow";
    let n = 0;
    for (const child of element.children) {
      const own = getComputedStyle(child);
      if (own.display === "none" || own.position === "absolute" || own.position === "fixed" || own.float !== "none"
        || child.matches("script, style, option")) continue;
      const box = child.getBoundingClientRect();
      if (!box.width || !box.height) continue;
      const name = `${path}>${child.tagName.toLowerCase()}${child.classList[0] ? "." + child.classList[0] : ""}:${n++}`;
      const inFlow = kind !== "flow" || BLOCK.test(own.display) || /^table-(row|header|footer)/.test(own.display);
      if (!inFlow) continue;
      found.push({ path: name, parent: path, kind, ...edges(box), width: box.width });
      if (!child.matches("bdi, svg, [dir]")) walk(child, name);
    }
  };
  walk(document.body, "body");
  return found;
})()
