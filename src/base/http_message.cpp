// SPDX-License-Identifier: Apache-2.0
#include "base/http_message.h"

#include <algorithm>

namespace brickgate {

namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool equal_folded(std::string_view a, std::string_view b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

std::optional<std::string_view> HeaderMap::get(std::string_view name) const {
    for (auto const& [field, value] : fields_) {
        if (equals_ignoring_case(field, name)) {
            return value;
        }
    }
    return std::nullopt;
}

std::size_t HeaderMap::count(std::string_view name) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        fields_, [&](auto const& field) { return equals_ignoring_case(field.first, name); }));
}

std::string media_type(std::string_view content_type) {
    auto type = content_type.substr(0, content_type.find(';'));
    while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) {
        type.remove_suffix(1);
    }
    while (!type.empty() && (type.front() == ' ' || type.front() == '\t')) {
        type.remove_prefix(1);
    }
    std::string out(type);
    std::ranges::transform(out, out.begin(), lower);
    return out;
}

}  // namespace brickgate
