#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "autograd/profile/report.h"

namespace cotan {
namespace {

std::string scaled(double value, std::initializer_list<std::string_view> units, double step) {
  auto unit = units.begin();
  while (value >= step && unit + 1 != units.end()) {
    value /= step;
    ++unit;
  }
  return value == 0 ? fmt::format("0 {}", *unit) : fmt::format("{:.{}f} {}", value, value < 10 ? 2 : value < 100 ? 1 : 0, *unit);
}
std::string time_text(double us) { return us < 1 ? fmt::format("{:.2f} us", us) : scaled(us, {"us", "ms", "s"}, 1000); }
std::string bytes_text(double bytes) { return scaled(bytes, {"B", "kB", "MB", "GB"}, 1000); }
std::string flops_text(double flops) { return scaled(flops, {"FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"}, 1000); }

// "1.85x" of the first to the second; nothing where there is none.
std::string times_less(double unfused, double fused) { return fused > 0 && unfused > 0 ? fmt::format("{:.2f}x", unfused / fused) : ""; }

std::string summary(const Profile& p) {
  std::string out = fmt::format("{}: {} repetitions, {} threads, {}\n", p.name, p.repetitions, p.machine.threads, p.machine.processor);
  out += fmt::format("peaks measured: {:.0f} GFLOP/s, {:.0f} GB/s in the cores' caches, {:.1f} GB/s from memory\n\n", p.machine.gflops, p.machine.cache_gbs,
                     p.machine.memory_gbs);
  const auto row = [&](std::string_view what, const std::string& unfused, const std::string& fused, const std::string& ratio) {
    out += fmt::format("  {:<24} {:>14} {:>14} {:>9}\n", what, unfused, fused, ratio);
  };
  const ProfiledSide &u = p.unfused, &f = p.fused;
  row("", "unfused", "fused", "gain");
  row("time", time_text(u.time_us), time_text(f.time_us), fmt::format("{:.2f}x", p.ratio));
  row("  least", time_text(u.min_us), time_text(f.min_us), times_less(u.min_us, f.min_us));
  row("  between the quartiles", time_text(u.spread_us), time_text(f.spread_us), "");
  row("  in kernels", time_text(u.run_us), time_text(f.run_us), times_less(u.run_us, f.run_us));
  row("kernels", fmt::to_string(u.kernels), fmt::to_string(f.kernels), times_less(u.kernels, f.kernels));
  row("phases", fmt::to_string(u.phases), fmt::to_string(f.phases), times_less(static_cast<double>(u.phases), static_cast<double>(f.phases)));
  row("bytes read and written", bytes_text(u.bytes), bytes_text(f.bytes), times_less(u.bytes, f.bytes));
  row("operations", flops_text(u.flops), flops_text(f.flops), times_less(u.flops, f.flops));
  row("peak memory", bytes_text(u.peak_bytes), bytes_text(f.peak_bytes), times_less(u.peak_bytes, f.peak_bytes));
  return out;
}

std::string lines_of(const ProfiledKernel& k) {
  std::string out;
  for (std::size_t i = 0; i < k.lines.size() && i < 2; ++i) out += fmt::format("{}{}", i == 0 ? "" : ", ", k.lines[i].text());
  if (k.lines.size() > 2) out += fmt::format(", +{}", k.lines.size() - 2);
  return out;
}

std::string kernels_of(std::string_view title, const ProfiledSide& side, int most) {
  std::vector<const ProfiledKernel*> order;
  double work = 0;
  for (const ProfiledKernel& k : side.kernel_list) {
    order.push_back(&k);
    work += k.work_us;
  }
  std::stable_sort(order.begin(), order.end(), [](const ProfiledKernel* a, const ProfiledKernel* b) { return a->work_us > b->work_us; });
  const std::size_t shown = std::min(order.size(), static_cast<std::size_t>(std::max(most, 0)));
  std::string out = fmt::format("\n{}: {} of {} kernels\n", title, shown, order.size());
  out += fmt::format("  {:>6} {:>10} {:>8} {:>9} {:>8} {:>7} {:>8}  {:<34} {}\n", "share", "time", "spread", "GFLOP/s", "GB/s", "of roof", "bound by", "kernel",
                     "lines");
  for (std::size_t i = 0; i < shown; ++i) {
    const ProfiledKernel& k = *order[i];
    const std::string name = k.name.size() <= 34 ? k.name : k.name.substr(0, 33) + "~";
    out += fmt::format("  {:>5.1f}% {:>10} {:>8} {:>9.1f} {:>8.1f} {:>6.0f}% {:>8}  {:<34} {}\n", work > 0 ? 100 * k.work_us / work : 0, time_text(k.time_us),
                       time_text(k.spread_us), k.gflops, k.gbs, 100 * k.of_roof,
                       k.bound == Bound::compute  ? "compute"
                       : k.bound == Bound::memory ? "memory"
                                                  : "",
                       name, lines_of(k));
  }
  return out;
}

std::string misses_of(const Profile& p, int most) {
  if (p.misses.empty()) return "\nno misses\n";
  struct Kind {
    std::size_t count = 0;
    const ProfiledMiss* first = nullptr;
  };
  std::map<std::pair<std::string, std::string>, Kind> kinds;
  for (const ProfiledMiss& m : p.misses) {
    Kind& kind = kinds[{m.what, m.reason}];
    if (kind.count++ == 0) kind.first = &m;
  }
  std::vector<Kind> order;
  for (const auto& [name, kind] : kinds) order.push_back(kind);
  std::stable_sort(order.begin(), order.end(), [](const Kind& a, const Kind& b) { return a.count > b.count; });
  std::string out = fmt::format("\nnot fused, or not done as hoped: {}\n", p.misses.size());
  for (std::size_t i = 0; i < order.size() && i < static_cast<std::size_t>(std::max(most, 0)); ++i) {
    const ProfiledMiss& m = *order[i].first;
    out += fmt::format("  {:>3} x {}: {}; first: {}{}{}\n", order[i].count, m.what, m.reason, m.detail, m.line.line == 0 ? "" : " at ", m.line.text());
  }
  return out;
}

}  // namespace

std::string table(const Profile& profile, const TableOptions& options) {
  return summary(profile) + kernels_of("unfused", profile.unfused, options.kernels) + kernels_of("fused", profile.fused, options.kernels) +
         misses_of(profile, options.misses);
}

}  // namespace cotan
