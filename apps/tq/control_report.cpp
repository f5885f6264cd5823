#include <fmt/format.h>

#include "control.hpp"

namespace tq::app {

nlohmann::ordered_json report_json(const ControlReport& r) {
  nlohmann::ordered_json out;
  out["out"] = r.out;
  out["model"] = r.model;
  out["contrast"] = r.contrast;
  out["pairs"] = r.pairs;
  out["method"] = r.method;
  out["pooling"] = r.pooling;
  out["model_layers"] = r.fit.layers;
  out["layers"] = nlohmann::ordered_json::array();
  for (const auto& [layer, direction] : r.fit.directions) {
    out["layers"].push_back(
        {{"layer", layer}, {"length", direction.length}, {"agreement", direction.agreement}});
  }
  out["left_out"] = {
      {"identical", r.identical}, {"empty", r.empty}, {"prompt_too_long", r.left_out}};
  out["cut"] = r.cut;
  out["evaluations"] = r.fit.evaluations;
  out["data"] = r.data;
  return out;
}

std::string report_text(const ControlReport& r) {
  double mean = 0, least = 1;
  int where = 0;
  for (const auto& [layer, direction] : r.fit.directions) {
    mean += direction.agreement / static_cast<double>(r.fit.directions.size());
    if (where == 0 || direction.agreement < least) {
      least = direction.agreement;
      where = layer;
    }
  }
  std::string out = fmt::format("wrote {}, a control vector for {}\n", r.out, r.model);
  out += fmt::format("  {:<12} {}\n", "contrast", r.contrast);
  out += fmt::format("  {:<12} {} of {} pairs, layers {}-{} of {}, {} pooling\n", "directions",
                     r.method, r.pairs, r.fit.directions.begin()->first,
                     r.fit.directions.rbegin()->first, r.fit.layers, r.pooling);
  out += fmt::format("  {:<12} {:.0f}% of the pairs point its way ({:.0f}% at layer {})\n",
                     "agreement", 100 * mean, 100 * least, where);
  if (r.identical + r.empty + r.left_out > 0) {
    out += fmt::format(
        "  {:<12} {} pairs of one text twice, {} with an empty one, {} with too "
        "long a prompt\n",
        "left out", r.identical, r.empty, r.left_out);
  }
  if (r.cut > 0) out += fmt::format("  {:<12} {} texts at --max-tokens\n", "cut", r.cut);
  out += fmt::format("  {:<12} {} tokens\n", "evaluations", r.fit.evaluations);
  return out + fmt::format(
                   "use it: tq generate ... --baseline control={0}; control-scale=2 "
                   "behind it steers harder, control-scale=-1 the other way\n",
                   r.out);
}

}  // namespace tq::app
