// SPDX-License-Identifier: Apache-2.0
// Memory for pixels that are about to be overwritten: never zeroed, on large pages where it is large.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory>
#include <new>
#include <vector>

namespace tilewright::pipeline {

/// An allocator that leaves new values unset, and asks for large pages from 2 MiB on: the first touch of each small page
/// costs as much as copying it several times. Where the system has none, small pages serve.
template <class T>
class UnsetAllocator {
 public:
  using value_type = T;
  static constexpr std::size_t kLargePage = std::size_t{2} << 20;

  UnsetAllocator() = default;
  template <class U>
  UnsetAllocator(const UnsetAllocator<U>&) noexcept {}

  T* allocate(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    if (bytes < kLargePage) return std::allocator<T>().allocate(count);
    void* memory = ::operator new(bytes, std::align_val_t{kLargePage});
    ::madvise(memory, bytes, MADV_HUGEPAGE);  // advice only: nothing depends on the answer
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    if (count * sizeof(T) < kLargePage) std::allocator<T>().deallocate(memory, count);
    else ::operator delete(memory, std::align_val_t{kLargePage});
  }
  /// Without arguments: no value.
  template <class U, class... Arguments>
  void construct(U* at, Arguments&&... arguments) {
    if constexpr (sizeof...(Arguments) == 0) ::new (static_cast<void*>(at)) U;
    else std::construct_at(at, static_cast<Arguments&&>(arguments)...);
  }
  template <class U>
  bool operator==(const UnsetAllocator<U>&) const noexcept { return true; }
};

/// Grows without zeros: whoever resizes it writes all of it.
using PixelBytes = std::vector<std::byte, UnsetAllocator<std::byte>>;

}  // namespace tilewright::pipeline
