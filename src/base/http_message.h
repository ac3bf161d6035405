// SPDX-License-Identifier: Apache-2.0
#pragma once
// HTTP messages as values, for the protocol code, which does no I/O. Bodies are Secrets because
// token endpoints send and receive little else. Move only.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"

namespace brickgate {

class HeaderMap {
 public:
    void add(std::string name, std::string value) {
        fields_.emplace_back(std::move(name), std::move(value));
    }
    // The first value of a name, compared without case.
    std::optional<std::string_view> get(std::string_view name) const;
    std::size_t count(std::string_view name) const;
    auto begin() const { return fields_.begin(); }
    auto end() const { return fields_.end(); }
    std::size_t size() const { return fields_.size(); }

 private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

struct HttpRequest {
    std::string method = "GET";
    std::string url;  // absolute
    HeaderMap headers;
    Secret authorization;  // value of the Authorization header; empty: none is sent
    Secret body;
};

struct HttpResponse {
    int status = 0;
    HeaderMap headers;
    Secret body;
};

bool equal_folded(std::string_view a, std::string_view b);  // of one length
// Field names are compared by the dozen for each message; most differ in length or first letter.
inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
    constexpr int case_bit = 0x20;
    return a.size() == b.size() &&
           (a.empty() || (((a.front() ^ b.front()) & ~case_bit) == 0 && equal_folded(a, b)));
}
// The media type of a Content-Type, lower case, without parameters.
std::string media_type(std::string_view content_type);

}  // namespace brickgate
