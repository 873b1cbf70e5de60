// Convolutions: which tensor holds the windows, and which roles the others can play.
#include <numeric>
#include <tuple>

#include "graph/recognise.h"
#include "graph/recognise_tensor.h"

namespace cotan {
namespace {

// A dimension of the tensor x with windows, in terms of the two others, y and w.
struct Slide {
  int dimension = 0;
  int in_y = -1, in_w = -1;  // the index that only y, only w has besides x; -1: none
  std::int64_t y_step = 1, w_step = 1, constant = 0;
};

// The reading of x's accesses against y and w: every dimension is a slide or plain.
std::optional<std::vector<Slide>> slides_of(const TensorUse& x, const TensorUse& y, const TensorUse& w, const Domain& domain) {
  std::vector<Slide> slides;
  bool moves = false;
  for (std::size_t d = 0; d < x.access.size(); ++d) {
    const IndexExpr& e = x.access[d];
    const bool clips = !in_range(e, x.shape[d], domain);
    Slide slide{.dimension = static_cast<int>(d), .constant = e.constant};
    bool fits = e.terms.size() == 1 || e.terms.size() == 2;
    for (const IndexTerm& t : e.terms) {
      const bool in_y = y.has(t.index), in_w = w.has(t.index);
      if (in_y == in_w || t.coefficient < 1 || (in_y ? slide.in_y : slide.in_w) >= 0) {
        fits = false;
        break;
      }
      (in_y ? slide.in_y : slide.in_w) = t.index;
      (in_y ? slide.y_step : slide.w_step) = t.coefficient;
    }
    // One index alone is an ordinary dimension unless it skips entries.
    if (fits && e.terms.size() == 1)
      fits = clips || e.constant != 0 || e.terms[0].coefficient != 1 || domain[static_cast<std::size_t>(e.terms[0].index)] != x.shape[d];
    if (fits) {
      slides.push_back(slide);
      moves = true;
    } else if (clips || !is_radix(e, domain)) {
      return std::nullopt;
    }
  }
  if (!moves || slides.size() > 3) return std::nullopt;
  return slides;
}

bool is_slide(const std::vector<Slide>& slides, int index) {
  return std::any_of(slides.begin(), slides.end(), [&](const Slide& s) { return s.in_y == index || s.in_w == index; });
}

// x is the output: all of it is computed as long as its other dimensions are covered.
bool covered_beside(const TensorUse& x, const std::vector<Slide>& slides, const Domain& domain) {
  std::int64_t points = 1, entries = 1;
  for (std::size_t i = 0; i < domain.size(); ++i)
    if (x.uses[i] && !is_slide(slides, static_cast<int>(i))) points *= domain[i];
  for (std::size_t d = 0; d < x.shape.rank(); ++d)
    if (std::none_of(slides.begin(), slides.end(), [&](const Slide& s) { return s.dimension == static_cast<int>(d); })) entries *= x.shape[d];
  return points == entries;
}

// The reading in which y is the result and w the weights; the other way round with the arguments exchanged.
ConvolutionForm form_of(int x, int y, int w, const std::vector<TensorUse>& t, const std::vector<Slide>& slides, bool exchanged) {
  ConvolutionForm form;
  form.source = x;
  form.result = y;
  form.weights = w;
  form.output = x == output_tensor ? ConvolutionOutput::source : y == output_tensor ? ConvolutionOutput::result : ConvolutionOutput::weights;
  for (const Slide& s : slides) {
    ConvolutionWindow window{.dimension = s.dimension, .position = s.in_y, .tap = s.in_w, .stride = s.y_step, .dilation = s.w_step, .padding = -s.constant};
    if (exchanged) {
      std::swap(window.position, window.tap);
      std::swap(window.stride, window.dilation);
    }
    form.windows.push_back(window);
  }
  const auto use = [&](int tensor, int index) { return t[static_cast<std::size_t>(tensor)].has(index); };
  for (int i = 0; i < static_cast<int>(t[0].uses.size()); ++i) {
    if (is_slide(slides, i)) continue;
    const bool in_source = use(form.source, i), in_weights = use(form.weights, i), in_result = use(form.result, i);
    (in_source && in_weights && in_result ? form.groups : !in_weights ? form.batch : !in_result ? form.in_channels : form.out_channels).push_back(i);
  }
  return form;
}

}  // namespace

std::vector<ConvolutionForm> as_convolution(const SumSpec& spec, const TensorShapes& shapes) {
  std::vector<ConvolutionForm> forms;
  if (spec.factors.size() != 2 || !spec.guards.empty() || !has_points(spec.domain)) return forms;
  const std::vector<TensorUse> t = tensor_uses(spec, shapes);
  for (const TensorUse& use : t)
    if (!use.affine || !use.once) return forms;
  for (int i = 0; i < static_cast<int>(spec.domain.size()); ++i)
    if (t[0].has(i) + t[1].has(i) + t[2].has(i) < 2) return forms;

  for (int x = 0; x < 3; ++x) {
    const int y = x == 0 ? 1 : 0, w = x == 2 ? 1 : 2;
    const TensorUse &in_x = t[static_cast<std::size_t>(x)], &in_y = t[static_cast<std::size_t>(y)], &in_w = t[static_cast<std::size_t>(w)];
    if (!in_y.plain(spec.domain) || !in_w.plain(spec.domain)) continue;
    const std::optional<std::vector<Slide>> slides = slides_of(in_x, in_y, in_w, spec.domain);
    if (!slides) continue;
    if (x == output_tensor ? !covered_beside(in_x, *slides, spec.domain) : !t[0].covered(spec.domain)) continue;
    forms.push_back(form_of(x, y, w, t, *slides, false));
    forms.push_back(form_of(x, w, y, t, *slides, true));
  }

  // Kernels are small beside the results; where both are as large, they are seldom dilated, and most often the result is what is wanted.
  const auto rank = [&](const ConvolutionForm& form) {
    std::int64_t taps = 1, dilation = 0;
    for (const ConvolutionWindow& w : form.windows) {
      if (w.tap >= 0) taps *= spec.domain[static_cast<std::size_t>(w.tap)];
      dilation += w.dilation;
    }
    return std::tuple(taps, dilation, static_cast<int>(form.output));
  };
  std::stable_sort(forms.begin(), forms.end(), [&](const ConvolutionForm& a, const ConvolutionForm& b) { return rank(a) < rank(b); });
  return forms;
}

}  // namespace cotan
