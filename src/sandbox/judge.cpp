// SPDX-License-Identifier: Apache-2.0
#include "sandbox/judge.h"

#include "base/encoding.h"

namespace brickgate::sandbox {

namespace {

namespace json = boost::json;
constexpr std::size_t lines_max = 20'000;

json::object to_json(LogLine const& line) {
    json::array headers;
    for (auto const& [name, value] : line.headers) {
        headers.push_back(json::array{json::value(name), json::value(value)});
    }
    json::object out{{"seq", line.seq},
                     {"at_ms", to_ms(line.at)},
                     {"method", line.method},
                     {"target", line.target},
                     {"path", line.path},
                     {"query", line.query},
                     {"headers", std::move(headers)},
                     {"body", line.body},
                     {"authorization", line.authorization},
                     {"fault", line.fault},
                     {"decision", line.decision},
                     {"family", line.family},
                     {"generation", line.generation},
                     {"presented", line.presented},
                     {"status", line.status}};
    if (!is_valid_utf8(line.body)) {
        out["body"] = nullptr;
        out["body_base64"] = base64_encode(line.body);
    }
    return out;
}

}  // namespace

std::uint64_t Judge::note(LogLine line) {
    line.seq = next_++;
    lines_.push_back(std::move(line));
    if (lines_.size() > lines_max) {
        lines_.pop_front();
    }
    return lines_.back().seq;
}

void Judge::amend(LogLine const& line) {
    if (!lines_.empty() && line.seq >= lines_.front().seq) {
        lines_[line.seq - lines_.front().seq] = line;
    }
}

json::array Judge::since(std::uint64_t seq) const {
    json::array out;
    for (auto const& line : lines_) {
        if (line.seq > seq) {
            out.push_back(to_json(line));
        }
    }
    return out;
}

}  // namespace brickgate::sandbox
