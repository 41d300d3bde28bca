// SPDX-License-Identifier: Apache-2.0
// Python pickles as plain data: numbers, texts, lists, dicts and tensors; nothing is ever called.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tilewright::learn {

struct PickleValue;
using PickleRef = PickleValue*;  ///< owned by the Pickle

struct PickleValue {
  /// `global` is a name of Python that we know; `call` is such a name with arguments, not called;
  /// `dropped` stands for settings of the training program (argparse.Namespace).
  enum class Kind {
    none,
    boolean,
    integer,
    real,
    text,
    list,
    dict,
    global,
    call,
    persistent,
    dropped
  };
  Kind kind = Kind::none;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;                                    ///< text; "module name" of a global
  std::vector<PickleRef> items;                        ///< list and tuple; arguments of a call
  std::vector<std::pair<PickleRef, PickleRef>> pairs;  ///< dict, in order
};

/// All values, however deep or circular they hang together, and the one that they belong to.
struct Pickle {
  std::vector<std::unique_ptr<PickleValue>> values;
  const PickleValue* root = nullptr;
};

/// Reads protocols 2 to 4 as torch.save writes them. Throws Error::failed that names `what` for
/// truncated or damaged bytes, unknown instructions, and every Python name that is not one of
/// ordered dicts, tensors, storages and argparse.Namespace. Executes nothing; memory is bounded by
/// the bytes given.
Pickle parse_pickle(std::string_view bytes, const std::string& what);

}  // namespace tilewright::learn
