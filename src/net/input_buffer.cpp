// SPDX-License-Identifier: Apache-2.0
#include "net/input_buffer.h"

#include <string.h>

#include <algorithm>
#include <cstring>

namespace brickgate {

InputBuffer::InputBuffer(std::size_t size_max)
    : size_max_(size_max),
      capacity_(std::min(bytes_first, size_max)),
      data_(std::make_unique_for_overwrite<char[]>(capacity_)) {}

InputBuffer::~InputBuffer() {
    explicit_bzero(data_.get() + begin_, end_ - begin_);
}

std::span<char> InputBuffer::room() {
    constexpr std::size_t enough = 1024;
    if (capacity_ - end_ < enough && begin_ > 0) {
        resize(capacity_);  // moves what is there to the front
    }
    if (capacity_ - end_ < enough && capacity_ < size_max_) {
        resize(std::min(capacity_ * 2, size_max_));
    }
    return {data_.get() + end_, capacity_ - end_};
}

void InputBuffer::consume(std::size_t bytes) {
    explicit_bzero(data_.get() + begin_, bytes);
    begin_ += bytes;
    if (begin_ == end_) {
        begin_ = end_ = 0;
        if (capacity_ > 4 * bytes_first) {
            resize(bytes_first);
        }
    }
}

void InputBuffer::drop(std::size_t from, std::size_t to) {
    std::memmove(data_.get() + begin_ + from, data_.get() + begin_ + to, end_ - begin_ - to);
    end_ -= to - from;
    explicit_bzero(data_.get() + end_, to - from);
}

void InputBuffer::resize(std::size_t capacity) {
    auto bigger = std::make_unique_for_overwrite<char[]>(capacity);
    std::size_t const size = end_ - begin_;
    std::memcpy(bigger.get(), data_.get() + begin_, size);
    explicit_bzero(data_.get() + begin_, size);
    data_ = std::move(bigger);
    capacity_ = capacity;
    begin_ = 0;
    end_ = size;
}

}  // namespace brickgate
