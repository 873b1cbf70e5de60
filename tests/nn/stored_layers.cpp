#include "tests/nn/stored_layers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>

namespace cotan::testing {
namespace {

using nlohmann::json;
using Arguments = std::vector<json>;

// Options by name. A name that nobody takes is a failure.
class Reader {
 public:
  Reader(const json& options, DType dtype) : options_(options), dtype_(dtype) {}
  ~Reader() { EXPECT_EQ(taken_, options_.size()) << "options that the test does not know: " << options_; }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  [[nodiscard]] DType dtype() const { return dtype_; }
  template <class T>
  Reader& take(const char* name, T& field) {
    if (!options_.contains(name)) return *this;
    ++taken_;
    read(options_.at(name), field);
    return *this;
  }

 private:
  template <class T>
  static void read(const json& from, T& to) {
    to = from.get<T>();
  }
  template <class T>
  static void read(const json& from, std::optional<T>& to) {
    to = from.is_null() ? std::optional<T>() : from.get<T>();
  }
  template <std::size_t N>
  static void read(const json& from, Spatial<N>& to) {
    if (from.is_array())
      from_attribute(from.get<Sizes>(), to);
    else
      to = from.get<std::int64_t>();
  }
  template <std::size_t N>
  static void read(const json& from, OutputSize<N>& to) {
    const auto size = [](const json& s) { return s.is_null() ? std::optional<std::int64_t>() : s.get<std::int64_t>(); };
    if (!from.is_array()) {
      to = from.is_null() ? OutputSize<N>(std::nullopt) : OutputSize<N>(from.get<std::int64_t>());
      return;
    }
    to = [&]<std::size_t... I>(std::index_sequence<I...>) {
      return OutputSize<N>(size(from.at(I))...);
    }(std::make_index_sequence<N>{});
  }
  static void read(const json& from, Dim& to) { to = from.get<std::int64_t>(); }
  template <std::size_t N>
  static void read(const json& from, Padding<N>& to) {
    if (from.is_string()) {
      to = Padding<N>(from.get<std::string>());
      return;
    }
    Spatial<N> sizes = 0;
    read(from, sizes);
    to = Padding<N>(sizes);
  }
  const json& options_;
  DType dtype_;
  std::size_t taken_ = 0;
};

template <class L>
Model model(const L& layer) {
  return {layer, [layer](const std::vector<Tensor>& in) { return std::vector<Tensor>{layer(in.at(0))}; }};
}

template <std::size_t N>
Model conv(const Arguments& a, Reader& r) {
  nn::ConvOptions<N> o{.dtype = r.dtype()};
  r.take("kernel_size", o.kernel_size).take("stride", o.stride).take("padding", o.padding).take("dilation", o.dilation);
  r.take("groups", o.groups).take("bias", o.bias);
  return model(nn::Conv<N>(a[0].get<std::int64_t>(), a[1].get<std::int64_t>(), o));
}

template <class Layer, class Options>
Model max_pool(Reader& r) {
  Options o;
  r.take("kernel_size", o.kernel_size).take("stride", o.stride).take("padding", o.padding).take("dilation", o.dilation).take("ceil_mode", o.ceil_mode);
  return model(Layer(o));
}

template <class Layer, class Options>
Model avg_pool(Reader& r) {
  Options o;
  r.take("kernel_size", o.kernel_size).take("stride", o.stride).take("padding", o.padding).take("ceil_mode", o.ceil_mode);
  r.take("count_include_pad", o.count_include_pad);
  return model(Layer(o));
}

template <class Layer>
Model batch_norm(const Arguments& a, Reader& r) {
  nn::BatchNormOptions o{.dtype = r.dtype()};
  r.take("eps", o.eps).take("momentum", o.momentum).take("affine", o.affine).take("track_running_stats", o.track_running_stats);
  return model(Layer(a[0].get<std::int64_t>(), o));
}

template <class Layer>
Model instance_norm(const Arguments& a, Reader& r) {
  nn::InstanceNormOptions o{.dtype = r.dtype()};
  r.take("eps", o.eps).take("momentum", o.momentum).take("affine", o.affine).take("track_running_stats", o.track_running_stats);
  return model(Layer(a[0].get<std::int64_t>(), o));
}

template <class Layer, class Options>
Model adaptive_pool(Reader& r) {
  Options o;
  r.take("output_size", o.output_size);
  return model(Layer(o));
}

nn::RecurrentOptions recurrent_options(Reader& r) {
  nn::RecurrentOptions o{.dtype = r.dtype()};
  r.take("num_layers", o.num_layers).take("bias", o.bias).take("batch_first", o.batch_first).take("dropout", o.dropout);
  r.take("bidirectional", o.bidirectional);
  return o;
}

Model lstm(const Arguments& a, Reader& r) {
  const nn::LSTM layer(a[0].get<std::int64_t>(), a[1].get<std::int64_t>(), recurrent_options(r));
  return {layer, [layer](const std::vector<Tensor>& in) {
            const auto [output, state] = in.size() == 1 ? layer(in[0]) : layer(in[0], {in[1], in[2]});
            return std::vector<Tensor>{output, state.h, state.c};
          }};
}

Model gru(const Arguments& a, Reader& r) {
  const nn::GRU layer(a[0].get<std::int64_t>(), a[1].get<std::int64_t>(), recurrent_options(r));
  return {layer, [layer](const std::vector<Tensor>& in) {
            const auto [output, h] = in.size() == 1 ? layer(in[0]) : layer(in[0], in[1]);
            return std::vector<Tensor>{output, h};
          }};
}

// The masks of a case by name, which follow the other inputs.
std::map<std::string, Tensor> masks_of(const json& stored, const std::vector<Tensor>& in, std::size_t first) {
  std::map<std::string, Tensor> masks;
  if (stored.contains("masks"))
    for (const json& name : stored["masks"]) masks[name] = in.at(first++);
  return masks;
}

Model attention(const json& stored, const Arguments& a, Reader& r) {
  nn::MultiheadAttentionOptions o{.dtype = r.dtype()};
  r.take("dropout", o.dropout).take("bias", o.bias).take("batch_first", o.batch_first);
  const nn::MultiheadAttention layer(a[0].get<std::int64_t>(), a[1].get<std::int64_t>(), o);
  return {layer, [layer, stored](const std::vector<Tensor>& in) {
            const std::size_t first_mask = stored.contains("self") ? 1 : 3;
            std::map<std::string, Tensor> masks = masks_of(stored, in, first_mask);
            nn::AttentionOptions call{.key_padding_mask = masks["key_padding_mask"], .attn_mask = masks["attn_mask"]};
            Reader(stored.at("call"), f64).take("need_weights", call.need_weights).take("average_attn_weights", call.average_attn_weights);
            const auto [output, weights] = first_mask == 1 ? layer(in[0], in[0], in[0], call) : layer(in[0], in[1], in[2], call);
            return weights.defined() ? std::vector<Tensor>{output, weights} : std::vector<Tensor>{output};
          }};
}

Model encoder(const json& stored, const Arguments& a, Reader& r) {
  nn::TransformerEncoderLayerOptions o{.dtype = r.dtype()};
  r.take("dim_feedforward", o.dim_feedforward).take("dropout", o.dropout).take("activation", o.activation).take("layer_norm_eps", o.layer_norm_eps);
  r.take("batch_first", o.batch_first).take("norm_first", o.norm_first).take("bias", o.bias);
  const nn::TransformerEncoderLayer layer(a[0].get<std::int64_t>(), a[1].get<std::int64_t>(), o);
  return {layer, [layer, stored](const std::vector<Tensor>& in) {
            std::map<std::string, Tensor> masks = masks_of(stored, in, 1);
            return std::vector<Tensor>{masks.empty() ? layer(in[0]) : layer(in[0], {masks["src_mask"], masks["src_key_padding_mask"]})};
          }};
}

// Layers without parameters.
Model operation(const std::string& kind, Reader& r) {
#define PLAIN(Name, function) \
  if (kind == #Name) return model(nn::Name());
#define P(name, standard) .take(#name, o.name)
#define COTAN_SELF(x) x
#define NUMBERS(Name, function, numbers)            \
  if (kind == #Name) {                              \
    nn::Name##Options o;                            \
    r COTAN_EACH(COTAN_SELF, COTAN_UNWRAP numbers); \
    return model(nn::Name(o));                      \
  }
#define OPTIONS(Name, function, Options, names)
#include "autograd/nn/operations.def"
#undef OPTIONS
#undef NUMBERS
#undef COTAN_SELF
#undef P
#undef PLAIN
  if (kind == "Softmax") {
    SoftmaxOptions o;
    r.take("dim", o.dim);
    return model(nn::Softmax(o));
  }
  if (kind == "LogSoftmax") {
    LogSoftmaxOptions o;
    r.take("dim", o.dim);
    return model(nn::LogSoftmax(o));
  }
  if (kind == "MaxPool1d") return max_pool<nn::MaxPool1d, MaxPool1dOptions>(r);
  if (kind == "MaxPool2d") return max_pool<nn::MaxPool2d, MaxPool2dOptions>(r);
  if (kind == "AvgPool1d") return avg_pool<nn::AvgPool1d, AvgPool1dOptions>(r);
  if (kind == "AvgPool2d") return avg_pool<nn::AvgPool2d, AvgPool2dOptions>(r);
  if (kind == "MaxPool3d") return max_pool<nn::MaxPool3d, MaxPool3dOptions>(r);
  if (kind == "AvgPool3d") return avg_pool<nn::AvgPool3d, AvgPool3dOptions>(r);
  if (kind == "AdaptiveAvgPool1d") return adaptive_pool<nn::AdaptiveAvgPool1d, AdaptiveAvgPool1dOptions>(r);
  if (kind == "AdaptiveAvgPool2d") return adaptive_pool<nn::AdaptiveAvgPool2d, AdaptiveAvgPool2dOptions>(r);
  if (kind == "AdaptiveAvgPool3d") return adaptive_pool<nn::AdaptiveAvgPool3d, AdaptiveAvgPool3dOptions>(r);
  if (kind == "AdaptiveMaxPool1d") return adaptive_pool<nn::AdaptiveMaxPool1d, AdaptiveMaxPool1dOptions>(r);
  if (kind == "AdaptiveMaxPool2d") return adaptive_pool<nn::AdaptiveMaxPool2d, AdaptiveMaxPool2dOptions>(r);
  if (kind == "AdaptiveMaxPool3d") return adaptive_pool<nn::AdaptiveMaxPool3d, AdaptiveMaxPool3dOptions>(r);
  if (kind == "Identity") return model(nn::Identity());
  if (kind == "GELU") {
    nn::GELUOptions o;
    r.take("approximate", o.approximate);
    return model(nn::GELU(o));
  }
  if (kind == "Dropout") {
    nn::DropoutOptions o;
    r.take("p", o.p);
    return model(nn::Dropout(o));
  }
  if (kind == "Flatten") {
    FlattenOptions o;
    r.take("start_dim", o.start_dim).take("end_dim", o.end_dim);
    return o == FlattenOptions() ? model(nn::Flatten()) : model(nn::Flatten(o));
  }
  throw std::runtime_error("a layer that the test does not know: " + kind);
}

std::vector<json> lines_of(const char* path) {
  std::vector<json> all;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) all.push_back(json::parse(line));
  return all;
}

}  // namespace

const std::vector<json>& stored_layers() {
  static const auto* all = new std::vector<json>(lines_of(COTAN_SOURCE_DIR "/tests/nn/layers.jsonl"));
  return *all;
}

const std::vector<json>& stored_texts() {
  static const auto* all = new std::vector<json>(lines_of(COTAN_SOURCE_DIR "/tests/nn/texts.jsonl"));
  return *all;
}

Model model_of(const json& stored, DType dtype) {
  const std::string kind = stored.at("layer");
  const Arguments a = stored.at("arguments");
  const auto size = [&](std::size_t i) { return a.at(i).get<std::int64_t>(); };
  Reader r(stored.at("options"), dtype);
  if (kind == "Linear") {
    nn::LinearOptions o{.dtype = dtype};
    r.take("bias", o.bias);
    return model(nn::Linear(size(0), size(1), o));
  }
  if (kind == "Conv1d") return conv<1>(a, r);
  if (kind == "Conv2d") return conv<2>(a, r);
  if (kind == "Conv3d") return conv<3>(a, r);
  if (kind == "Embedding") {
    nn::EmbeddingOptions o{.dtype = dtype};
    r.take("padding_idx", o.padding_idx);
    return model(nn::Embedding(size(0), size(1), o));
  }
  if (kind == "LayerNorm") {
    nn::LayerNormOptions o{.dtype = dtype};
    r.take("eps", o.eps).take("elementwise_affine", o.elementwise_affine).take("bias", o.bias);
    return model(a[0].is_array() ? nn::LayerNorm(a[0].get<Sizes>(), o) : nn::LayerNorm(size(0), o));
  }
  if (kind == "GroupNorm") {
    nn::GroupNormOptions o{.dtype = dtype};
    r.take("eps", o.eps).take("affine", o.affine);
    return model(nn::GroupNorm(size(0), size(1), o));
  }
  if (kind == "BatchNorm1d") return batch_norm<nn::BatchNorm1d>(a, r);
  if (kind == "BatchNorm2d") return batch_norm<nn::BatchNorm2d>(a, r);
  if (kind == "InstanceNorm1d") return instance_norm<nn::InstanceNorm1d>(a, r);
  if (kind == "InstanceNorm2d") return instance_norm<nn::InstanceNorm2d>(a, r);
  if (kind == "InstanceNorm3d") return instance_norm<nn::InstanceNorm3d>(a, r);
  if (kind == "LSTM") return lstm(a, r);
  if (kind == "GRU") return gru(a, r);
  if (kind == "MultiheadAttention") return attention(stored, a, r);
  if (kind == "TransformerEncoderLayer") return encoder(stored, a, r);
  return operation(kind, r);
}

std::vector<double> formula_values(const Shape& shape, int k, double factor, double offset) {
  std::vector<double> values;
  for (std::int64_t n = 0; n < shape.elements(); ++n) values.push_back(offset + factor * std::sin(1.7 * static_cast<double>(n) + 2.3 * k + 0.5));
  return values;
}

nn::StateDict stored_state(const json& stored, DType dtype) {
  nn::StateDict state;
  int k = 0;
  for (const json& entry : stored.at("state")) {
    const std::string name = entry[0];
    const Shape shape = shape_of(entry[1]);
    if (name.ends_with("num_batches_tracked"))
      state[name] = full(shape, 3, i64);
    else if (name.ends_with("running_var"))
      state[name] = cast(tensor(formula_values(shape, k, 0.5, 1), shape), dtype);
    else
      state[name] = cast(tensor(formula_values(shape, k, 0.8), shape), dtype);
    ++k;
  }
  return state;
}

std::vector<Tensor> stored_inputs(const json& stored, std::size_t run, DType dtype) {
  std::vector<Tensor> inputs;
  for (const json& spec : stored.at("inputs")) {
    const Shape shape = shape_of(spec.at("shape"));
    const auto k = static_cast<int>(50 + 10 * run + inputs.size());
    if (spec.contains("below")) {
      std::vector<std::int32_t> values;
      for (int n = 0; n < shape.elements(); ++n) values.push_back((7 * n + 3 + k) % spec["below"].get<int>());
      inputs.push_back(tensor(values, shape));
    } else if (spec.contains("mask")) {
      auto values = std::make_unique<bool[]>(static_cast<std::size_t>(shape.elements()));
      for (int n = 0; n < shape.elements(); ++n) values[static_cast<std::size_t>(n)] = n % static_cast<int>(shape.back()) > 0 && (5 * n + k) % 3 == 0;
      inputs.push_back(Tensor::from(std::span<const bool>(values.get(), static_cast<std::size_t>(shape.elements())), shape));
    } else {
      Tensor x = cast(tensor(formula_values(shape, k), shape), dtype);
      evaluate({x});
      inputs.push_back(x.requires_grad_());
    }
  }
  return inputs;
}

}  // namespace cotan::testing
