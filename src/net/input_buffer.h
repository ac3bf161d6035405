// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a session has read and not yet answered. Inside net/ only.
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace brickgate {

// Bytes read and not yet answered. Wiped when they are consumed: they hold API keys.
class InputBuffer {
 public:
    static constexpr std::size_t bytes_first = 4 * 1024;

    explicit InputBuffer(std::size_t size_max);
    ~InputBuffer();
    std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
    bool empty() const { return begin_ == end_; }
    // Room to read into; empty when the buffer holds all it may.
    std::span<char> room();
    void filled(std::size_t bytes) { end_ += bytes; }
    void consume(std::size_t bytes);
    void drop(std::size_t from, std::size_t to);  // inside view()

 private:
    void resize(std::size_t capacity);
    std::size_t size_max_;
    std::size_t capacity_;
    std::unique_ptr<char[]> data_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace brickgate
