#include "autograd/nn/drop_rate.h"

#include <fmt/format.h>

#include "autograd/recorder.h"
#include "ops/error.h"

namespace cotan::nn {
namespace {

void require_probability(std::string_view what, double p) {
  if (!(p >= 0 && p <= 1)) fail(fmt::format("{} = {}, which is no probability", what, p), "Give a number from 0 to 1");
}

}  // namespace

DropRate::DropRate(std::string_view what, double p, const Generator& generator) : p_(std::make_shared<std::atomic<double>>(p)), generator_(generator) {
  require_probability(what, p);
}

void DropRate::set(std::string_view what, double p) const {
  require_not_recording("a change of the rate of dropout", "Change it before the call");
  require_probability(what, p);
  *p_ = p;
}

Tensor DropRate::operator()(const Tensor& x) const {
  return dropout_by(
      x, [p = p_] { return p->load(); }, generator_);
}

std::optional<DropRate> owned_rate(std::string_view kind, double dropout, const Generator& generator, std::source_location where) {
  const CallSite site(kind, where);
  if (dropout == 0) return std::nullopt;
  return DropRate("dropout", dropout, generator);
}

void set_owned_rate(const std::optional<DropRate>& rate, double p, std::source_location where) {
  const CallSite site("set_dropout", where);
  if (!rate) fail("a rate of dropout for a layer made without dropout", "Make it with a dropout above 0");
  rate->set("dropout", p);
}

}  // namespace cotan::nn
