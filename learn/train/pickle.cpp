// SPDX-License-Identifier: Apache-2.0
// A stack machine for the instructions that torch.save uses.
#include "learn/train/pickle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

using Kind = PickleValue::Kind;

constexpr std::array<std::string_view, 17> kKnown{"collections OrderedDict",
                                                  "torch._utils _rebuild_tensor_v2",
                                                  "torch._utils _rebuild_parameter",
                                                  "torch FloatStorage",
                                                  "torch DoubleStorage",
                                                  "torch HalfStorage",
                                                  "torch BFloat16Storage",
                                                  "torch LongStorage",
                                                  "torch IntStorage",
                                                  "torch ShortStorage",
                                                  "torch CharStorage",
                                                  "torch ByteStorage",
                                                  "torch BoolStorage",
                                                  "argparse Namespace",
                                                  "torch.serialization _get_layout",
                                                  "builtins dict",
                                                  "torch Size"};

class Machine {
 public:
  Machine(std::string_view bytes, const std::string& what) : bytes_(bytes), what_(what) {}

  Pickle run() {
    while (true) {
      const auto instruction = static_cast<unsigned char>(take(1)[0]);
      if (instruction == '.') {
        if (stack_.size() != 1)
          damaged("it ends with " + std::to_string(stack_.size()) + " values");
        values_.root = stack_.back();
        return std::move(values_);
      }
      if (!constant(instruction) && !collection(instruction) && !object(instruction))
        damaged("the instruction " + std::to_string(instruction) + " is not one of torch.save");
    }
  }

 private:
  [[noreturn]] void damaged(const std::string& why) const {
    throw Error::failed("the weight file " + what_ + " cannot be used: at byte " +
                        std::to_string(at_) + " of its pickle " + why +
                        "; it is damaged or no state dict: make or fetch it again, or convert it "
                        "with safetensors.torch.save_file in Python");
  }

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - at_) damaged("it is cut off");
    const auto part = bytes_.substr(at_, count);
    at_ += count;
    return part;
  }
  /// Little-endian, two's complement in `bytes` bytes if `is_signed`.
  std::int64_t number(int bytes, bool is_signed = false) {
    const auto part = take(static_cast<std::uint64_t>(bytes));
    std::uint64_t value = 0;
    for (int i = bytes; i-- > 0;)
      value = value << 8U | static_cast<unsigned char>(part[static_cast<std::size_t>(i)]);
    if (is_signed && bytes > 0 && bytes < 8 && (value >> (8 * bytes - 1) & 1U))
      value |= ~std::uint64_t{0} << (8 * bytes);
    return static_cast<std::int64_t>(value);
  }
  std::string line() {
    const auto end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) damaged("it is cut off");
    std::string text(bytes_.substr(at_, end - at_));
    at_ = end + 1;
    return text;
  }

  PickleRef made(Kind kind) {
    values_.values.push_back(std::make_unique<PickleValue>());
    values_.values.back()->kind = kind;
    return values_.values.back().get();
  }
  void push(PickleRef value) { stack_.push_back(value); }
  PickleRef pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) damaged("its stack is empty");
    auto* value = stack_.back();
    stack_.pop_back();
    return value;
  }
  PickleRef top() {
    if (stack_.empty()) damaged("its stack is empty");
    return stack_.back();
  }
  std::vector<PickleRef> pop_to_mark() {
    if (marks_.empty()) damaged("a mark is missing");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<PickleRef> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }

  void push_integer(std::int64_t value) {
    auto* made_value = made(Kind::integer);
    made_value->integer = value;
    push(made_value);
  }
  void push_text(std::string_view text) {
    auto* value = made(Kind::text);
    value->text = text;
    push(value);
  }
  void push_boolean(bool is_true) {
    auto* value = made(Kind::boolean);
    value->integer = is_true ? 1 : 0;
    push(value);
  }

  bool constant(unsigned char instruction) {
    switch (instruction) {
      case 0x80:
        take(1);
        return true;  // PROTO
      case 0x95:
        take(8);
        return true;  // FRAME
      case 'N':
        push(made(Kind::none));
        return true;
      case 0x88:
      case 0x89:
        push_boolean(instruction == 0x88);
        return true;
      case 'K':
        push_integer(number(1));
        return true;
      case 'M':
        push_integer(number(2));
        return true;
      case 'J':
        push_integer(number(4, true));
        return true;
      case 0x8a:
        push_long();
        return true;
      case 'X':
        push_text(take(static_cast<std::uint64_t>(number(4))));
        return true;
      case 0x8c:
        push_text(take(static_cast<std::uint64_t>(number(1))));
        return true;
      case 'G':
        push_real();
        return true;
      default:
        return false;
    }
  }
  void push_long() {
    const auto bytes = number(1);
    if (bytes > 8) damaged("a number of " + std::to_string(bytes) + " bytes is too long");
    push_integer(number(static_cast<int>(bytes), true));
  }
  void push_real() {
    std::uint64_t bits = 0;
    for (const char byte : take(8)) bits = bits << 8U | static_cast<unsigned char>(byte);
    auto* value = made(Kind::real);
    value->real = std::bit_cast<double>(bits);
    push(value);
  }

  bool collection(unsigned char instruction) {
    switch (instruction) {
      case '}':
        push(made(Kind::dict));
        return true;
      case ']':
      case ')':
        push(made(Kind::list));
        return true;
      case '(':
        marks_.push_back(stack_.size());
        return true;
      case 't':
        push_list(pop_to_mark());
        return true;
      case 0x85:
      case 0x86:
      case 0x87: {
        std::vector<PickleRef> items(static_cast<std::size_t>(instruction - 0x84));
        for (auto item = items.rbegin(); item != items.rend(); ++item) *item = pop();
        push_list(std::move(items));
        return true;
      }
      case 'a':
        append({pop()});
        return true;
      case 'e':
        append(pop_to_mark());
        return true;
      case 's': {
        auto *value = pop(), *key = pop();
        set_items({key, value});
        return true;
      }
      case 'u':
        set_items(pop_to_mark());
        return true;
      default:
        return false;
    }
  }
  void push_list(std::vector<PickleRef> items) {
    auto* list = made(Kind::list);
    list->items = std::move(items);
    push(list);
  }
  void append(std::vector<PickleRef> items) {
    if (top()->kind != Kind::list) damaged("it appends to what is no list");
    auto& list = top()->items;
    list.insert(list.end(), items.begin(), items.end());
  }
  void set_items(const std::vector<PickleRef>& items) {
    if (top()->kind != Kind::dict || items.size() % 2 != 0)
      damaged("it sets keys of what is no dict");
    for (std::size_t i = 0; i < items.size(); i += 2)
      top()->pairs.emplace_back(items[i], items[i + 1]);
  }

  bool object(unsigned char instruction) {
    switch (instruction) {
      case 'c': {
        const auto module = line();
        push_global(module + " " + line());
        return true;
      }
      case 0x93: {
        const auto *name = pop(), *module = pop();
        push_global(module->text + " " + name->text);
        return true;
      }
      case 'R':
      case 0x81:
        reduce();
        return true;
      case 'b':
        build();
        return true;
      case 'Q': {
        auto* value = made(Kind::persistent);
        value->items = pop()->items;
        push(value);
        return true;
      }
      case 'q':
        memo_[number(1)] = top();
        return true;
      case 'r':
        memo_[number(4)] = top();
        return true;
      case 0x94:
        memo_[static_cast<std::int64_t>(memo_.size())] = top();
        return true;
      case 'h':
        push_memo(number(1));
        return true;
      case 'j':
        push_memo(number(4));
        return true;
      default:
        return false;
    }
  }
  void push_memo(std::int64_t place) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) damaged("it recalls a value that it did not keep");
    push(found->second);
  }
  void push_global(const std::string& name) {
    if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end())
      throw Error::failed("the weight file " + what_ + " is refused: it asks Python for '" + name +
                          "', which is no part of a state dict; nothing of it was run. Save only "
                          "the state_dict(), or convert it with safetensors.torch.save_file");
    auto* value = made(Kind::global);
    value->text = name;
    push(value);
  }
  /// A known name with its arguments becomes data.
  void reduce() {
    const auto *arguments = pop(), *callee = pop();
    if (callee->kind != Kind::global || arguments->kind != Kind::list)
      damaged("it calls what is no known name");
    if (callee->text == "argparse Namespace") return push(made(Kind::dropped));
    if (callee->text == "collections OrderedDict" || callee->text == "builtins dict")
      return push(made(Kind::dict));
    auto* value = made(Kind::call);
    value->text = callee->text;
    value->items = arguments->items;
    push(value);
  }
  /// Attributes of ordered dicts (_metadata) and of settings are of no use here.
  void build() {
    pop();
    if (top()->kind != Kind::dict && top()->kind != Kind::dropped)
      damaged("it sets attributes of what has none");
  }

  std::string_view bytes_;
  const std::string& what_;
  std::size_t at_ = 0;
  Pickle values_;
  std::vector<PickleRef> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::int64_t, PickleRef> memo_;
};

}  // namespace

Pickle parse_pickle(std::string_view bytes, const std::string& what) {
  return Machine(bytes, what).run();
}

}  // namespace tilewright::learn
