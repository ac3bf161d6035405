// SPDX-License-Identifier: Apache-2.0
// A workspace's answer (T39, T41): whatever comes, in whatever pieces, it is one whole answer,
// always the same, or it is none (a broken one and a refused one are told apart by how much has
// come); and no field holds what ends a line.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "net/response_parser.h"
#include "proxy/header_rules.h"

namespace {

using namespace brickgate;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

struct Seen {
    bool whole = false;
    int status = 0;
    std::string body;
    bool operator==(Seen const&) const = default;
};

Seen read(std::string const& bytes, std::size_t step, bool to_head) {
    ResponseParser parser({}, to_head);
    Seen seen;
    std::string rest;
    std::size_t have = 0;
    for (;;) {
        std::vector<std::string_view> pieces;
        auto const used = parser.feed(rest, pieces);
        if (!used) {
            return {};
        }
        for (auto const piece : pieces) {
            seen.body += piece;
        }
        rest.erase(0, *used);
        if (parser.body_done()) {
            break;
        }
        if (*used > 0 && !rest.empty()) {
            continue;  // the head is told apart from what follows it
        }
        if (have >= bytes.size()) {
            break;
        }
        std::size_t const more = std::min(step, bytes.size() - have);
        rest.append(bytes, have, more);
        have += more;
    }
    seen.whole = parser.body_done() || (parser.head_done() && parser.end());
    seen.status = parser.head_done() ? parser.head().status : 0;
    if (parser.head_done()) {
        std::string lines;
        (void)append_response_headers(lines, parser.head().fields);
        std::size_t line_ends = 0;
        for (std::size_t i = 0; i < lines.size(); ++i) {
            require(lines[i] != '\0');
            require(lines[i] != '\r' || (i + 1 < lines.size() && lines[i + 1] == '\n'));
            require(lines[i] != '\n' || (i > 0 && lines[i - 1] == '\r'));
            line_ends += lines[i] == '\n' ? 1 : 0;
        }
        require(line_ends <= parser.head().fields.size() + 8);
    }
    return seen.whole ? seen : Seen{};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    if (size < 1) {
        return 0;
    }
    std::size_t const step = data[0] % 32 + 1;
    bool const to_head = (data[0] & 0x80) != 0;
    std::string const bytes(reinterpret_cast<char const*>(data) + 1, size - 1);
    Seen const at_once = read(bytes, bytes.size() + 1, to_head);
    Seen const in_pieces = read(bytes, step, to_head);
    require(at_once == in_pieces);
    return 0;
}
