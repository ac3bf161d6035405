// SPDX-License-Identifier: Apache-2.0
#pragma once
// Strong<Tag>: strings that do not mix. A ClientId is not an Issuer, and neither is made from a
// bare string by accident.
#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace brickgate {

template <class Tag, class T = std::string>
class Strong {
 public:
    Strong() = default;
    explicit Strong(T value) : value_(std::move(value)) {}
    T const& value() const { return value_; }
    bool empty() const
        requires requires(T const& t) { t.empty(); }
    {
        return value_.empty();
    }
    auto operator<=>(Strong const&) const = default;

 private:
    T value_{};
};

}  // namespace brickgate

template <class Tag, class T>
struct std::hash<brickgate::Strong<Tag, T>> {
    std::size_t operator()(brickgate::Strong<Tag, T> const& s) const {
        return std::hash<T>{}(s.value());
    }
};
