#include "graph/casts.h"

#include "graph/builder.h"

namespace cotan::graph {

bool holds_all(DType wide, DType narrow) {
  if (wide == narrow || narrow == DType::boolean) return true;
  switch (narrow) {
    case DType::u8: return wide != DType::boolean && wide != DType::bf16;
    case DType::bf16: return wide == DType::f32 || wide == DType::f64;
    case DType::f32: return wide == DType::f64;
    case DType::i32: return wide == DType::i64 || wide == DType::f64;
    case DType::u32: return wide == DType::i64 || wide == DType::f64;
    default: return false;
  }
}

Ref merged_casts(const Ref& cast) {
  const Ref inner = cast->operand(0);
  if (inner->kind != Kind::cast || !holds_all(inner.dtype(), inner->operand(0).dtype())) return {};
  return graph::cast(inner->operand(0), cast.dtype());
}

}  // namespace cotan::graph
