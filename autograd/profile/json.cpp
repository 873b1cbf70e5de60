#include <nlohmann/json.hpp>

#include "autograd/profile/report.h"

namespace cotan {
namespace {

using Json = nlohmann::ordered_json;

std::string_view name_of(Bound bound) { return bound == Bound::compute ? "compute" : bound == Bound::memory ? "memory" : "none"; }

Json json_of(const std::vector<ProfiledLine>& lines) {
  Json out = Json::array();
  for (const ProfiledLine& l : lines) out.push_back(l.text());
  return out;
}

Json json_of(const Machine& m) {
  return {{"processor", m.processor}, {"threads", m.threads},       {"gflops", m.gflops},
          {"cache_gbs", m.cache_gbs}, {"memory_gbs", m.memory_gbs}, {"cache_bytes", m.cache_bytes}};
}

Json json_of(const ProfiledGraph& graph) {
  Json nodes = Json::array(), groups = Json::array();
  for (const ProfiledNode& n : graph.nodes)
    nodes.push_back({{"name", n.name},
                     {"kind", n.kind},
                     {"type", n.type},
                     {"text", n.text},
                     {"operands", n.operands},
                     {"lines", json_of(n.lines)},
                     {"kernel", n.kernel},
                     {"result", n.result}});
  for (const ProfiledGroup& g : graph.groups) groups.push_back({{"name", g.name}, {"fused", g.fused}, {"nodes", g.nodes}});
  return {{"nodes", nodes}, {"groups", groups}};
}

Json json_of(const ProfiledKernel& k) {
  return {{"name", k.name},
          {"evaluation", k.evaluation},
          {"phase", k.phase},
          {"chunks", k.chunks},
          {"time_us", k.time_us},
          {"min_us", k.min_us},
          {"spread_us", k.spread_us},
          {"work_us", k.work_us},
          {"flops", k.flops},
          {"bytes", k.bytes},
          {"gflops", k.gflops},
          {"gbs", k.gbs},
          {"bound", name_of(k.bound)},
          {"of_roof", k.of_roof},
          {"nodes", k.nodes},
          {"lines", json_of(k.lines)},
          {"parts", k.parts}};
}

Json json_of(const ProfiledSide& side, bool with_graphs) {
  Json kernels = Json::array(), passes = Json::array();
  for (const ProfiledKernel& k : side.kernel_list) kernels.push_back(json_of(k));
  for (const ProfiledPass& p : side.passes) passes.push_back({{"name", p.name}, {"changed", p.changed}, {"time_us", p.time_us}});
  Json out = {{"time_us", side.time_us}, {"min_us", side.min_us},           {"spread_us", side.spread_us}, {"run_us", side.run_us},
              {"kernels", side.kernels}, {"evaluations", side.evaluations}, {"phases", side.phases},       {"bytes", side.bytes},
              {"flops", side.flops},     {"peak_bytes", side.peak_bytes},   {"kernel_list", kernels},      {"passes", passes}};
  if (!with_graphs) return out;
  Json chunks = Json::array();
  for (const ProfiledChunk& c : side.timeline) chunks.push_back({c.kernel, c.worker, c.start_us, c.end_us});
  out["timeline"] = chunks;
  out["graph"] = json_of(side.graph);
  return out;
}

}  // namespace

std::string json(const Profile& profile, bool with_graphs) {
  Json misses = Json::array();
  for (const ProfiledMiss& m : profile.misses) misses.push_back({{"what", m.what}, {"reason", m.reason}, {"detail", m.detail}, {"line", m.line.text()}});
  Json out = {{"name", profile.name},   {"machine", json_of(profile.machine)},          {"repetitions", profile.repetitions},
              {"ratio", profile.ratio}, {"fused", json_of(profile.fused, with_graphs)}, {"unfused", json_of(profile.unfused, with_graphs)},
              {"misses", misses}};
  if (with_graphs) out["recorded"] = json_of(profile.recorded);
  return out.dump(with_graphs ? -1 : 1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string trace(const Profile& profile) {
  Json events = Json::array();
  const auto add = [&](int process, const char* title, const ProfiledSide& side) {
    events.push_back({{"name", "process_name"}, {"ph", "M"}, {"pid", process}, {"tid", 0}, {"args", {{"name", title}}}});
    for (int w = 0; w < profile.machine.threads; ++w)
      events.push_back({{"name", "thread_name"}, {"ph", "M"}, {"pid", process}, {"tid", w}, {"args", {{"name", "worker " + std::to_string(w)}}}});
    for (const ProfiledChunk& c : side.timeline) {
      const ProfiledKernel& k = side.kernel_list[static_cast<std::size_t>(c.kernel)];
      events.push_back({{"name", k.name},
                        {"cat", name_of(k.bound)},
                        {"ph", "X"},
                        {"pid", process},
                        {"tid", c.worker},
                        {"ts", c.start_us},
                        {"dur", c.end_us - c.start_us},
                        {"args", {{"kernel", c.kernel}, {"phase", k.phase}, {"lines", json_of(k.lines)}}}});
    }
  };
  add(1, "fused", profile.fused);
  add(2, "unfused", profile.unfused);
  return Json{{"traceEvents", events}, {"displayTimeUnit", "ns"}}.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace cotan
