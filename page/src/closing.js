// §12 everything to take away, and the words with the text's own wording.
import { app } from "./app.js";
import { h, p, button } from "./dom.js";
import { save, asCsv } from "./table.js";
import { count } from "./number.js";

/** All numbers of a tensor that are in the file, as rows of index and value. */
export function listed(tensor) {
  const rows = [];
  const lists = tensor.shape.map((_, axis) => tensor.indices(axis));
  const walk = (axis, index) => {
    if (axis === tensor.shape.length) rows.push([...index, tensor.at(index)]);
    else for (const i of lists[axis]) walk(axis + 1, [...index, i]);
  };
  walk(0, []);
  return rows;
}

const GLOSSARY = ["g_token", "g_input", "g_position", "g_segment", "g_final", "g_query", "g_key", "g_value", "g_head", "g_concat", "g_w0", "g_addnorm", "g_ffn", "g_matrix", "g_prediction", "g_logit", "g_softmax", "g_truth", "g_loss"];

export const closing = {
  id: "export", title: "s_export", deps: [],
  build() {
    const names = Object.keys(app.trace.index.tensors);
    const choice = h("select", { "data-key": "tensor", "aria-label": app.w("tensor") }, names.map((name) => h("option", { value: name }, `${name} [${app.trace.index.tensors[name].shape.join(" × ")}]`)));
    const chosen = () => app.trace.get(choice.value);
    const axes = (tensor) => [...tensor.shape.map((_, axis) => tensor.axes[axis] || `i${axis}`), "value"];
    const asJson = () => { const tensor = chosen(); save(`${tensor.name}.json`, JSON.stringify({ name: tensor.name, shape: tensor.shape, axes: tensor.axes, keep: tensor.keep, values: Array.from(tensor.data) }), "application/json"); };
    return [p(app.w("export_lead", count(names.length, app.state.lang))), h("div", { class: "tools" }, h("label", { class: "field grow" }, h("span", null, app.w("tensor")), choice), button("CSV", () => { const tensor = chosen(); save(`${tensor.name}.csv`, asCsv(axes(tensor), listed(tensor)), "text/csv"); }), button("JSON", asJson), button(app.w("print"), () => print())),
      h("h3", null, app.w("glossary")), h("dl", { class: "glossary" }, GLOSSARY.map((key) => { const [term, text] = app.w(key).split(" | "); return [h("dt", null, term), h("dd", null, text)]; }))];
  },
};
