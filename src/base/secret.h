// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one type for tokens, client secrets, codes and keys on their way through the program: move
// only, wiped when it goes, unprintable, and without a comparison but ct_equal. What is exposed is
// a view that lives as long as the call. Not thread safe (a value); see tests/compile_fail for what
// must not compile.

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace brickgate {

class Secret {
 public:
    Secret() = default;
    static Secret copy_of(std::string_view plain);
    static Secret from(std::string&& plain);         // wipes the argument
    static Secret from(std::span<std::byte> plain);  // wipes the argument
    static Secret zeros(std::size_t size);           // to be filled through write()

    Secret(Secret&& other) noexcept
        : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
    Secret& operator=(Secret&& other) noexcept;
    Secret(Secret const&) = delete;
    Secret& operator=(Secret const&) = delete;
    ~Secret();

    Secret clone() const;
    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }

    // The one greppable door: use(std::string_view) sees the bytes; tidy lists the files that may
    // call it.
    decltype(auto) expose(auto&& use) const {
        return std::invoke(std::forward<decltype(use)>(use), std::string_view(data_.get(), size_));
    }
    decltype(auto) write(auto&& use) {
        return std::invoke(std::forward<decltype(use)>(use), std::span<char>(data_.get(), size_));
    }
    bool ct_equal(Secret const& other) const;  // constant time for equal sizes
    bool ct_equal(std::string_view other) const;

    friend std::ostream& operator<<(std::ostream&, Secret const&) = delete;
    bool operator==(Secret const&) const = delete;

 private:
    void wipe() noexcept;
    std::unique_ptr<char[]> data_;
    std::size_t size_ = 0;
};

// Overwrites what a string holds, its spare capacity included.
void wipe(std::string& text) noexcept;

}  // namespace brickgate
