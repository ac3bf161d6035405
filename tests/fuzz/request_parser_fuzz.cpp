// SPDX-License-Identifier: Apache-2.0
// The request head and the coding of its body (T39): whatever comes, the parser's two ways of
// reading a body, in whatever pieces the network makes, see the same bytes and the same end.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "net/request_parser.h"

namespace {

using namespace brickgate;

ServerLimits const limits;

struct Seen {
    bool whole = false;
    std::string target;
    std::string body;
    std::size_t size = 0;
};

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

// As a session keeps a body in memory.
Seen in_memory(std::string const& bytes) {
    RequestParser parser(limits);
    Seen seen;
    auto state = parser.feed(bytes);
    if (state == RequestParser::State::head) {
        state = parser.keep_body() ? parser.feed(bytes) : RequestParser::State::failed;
    }
    if (state != RequestParser::State::done) {
        return seen;
    }
    ServerRequest request;
    parser.fill(bytes, request);
    seen = {true, std::string(request.target), std::string(request.body), parser.size()};
    return seen;
}

// As an exchange streams it, `step` bytes at a time.
Seen in_pieces(std::string const& bytes, std::size_t step) {
    RequestParser parser(limits);
    Seen seen;
    std::size_t have = 0;
    auto state = RequestParser::State::need_more;
    std::string head;
    while (state == RequestParser::State::need_more && have < bytes.size()) {
        std::size_t const more = std::min(step, bytes.size() - have);
        head.append(bytes, have, more);
        have += more;
        state = parser.feed(head);
    }
    if (state != RequestParser::State::head) {
        return seen;
    }
    ServerRequest request;
    parser.fill(head, request);
    seen.target = request.target;
    std::string rest = head.substr(parser.header_size());
    std::size_t consumed = parser.header_size();
    for (;;) {
        std::vector<std::string_view> pieces;
        auto const used = parser.feed_body(rest, pieces);
        if (!used) {
            return {};
        }
        require(*used <= rest.size());
        for (auto const piece : pieces) {
            require(piece.data() >= rest.data() &&
                    piece.data() + piece.size() <= rest.data() + rest.size());
            seen.body += piece;
        }
        rest.erase(0, *used);
        consumed += *used;
        if (parser.body_done()) {
            seen.whole = true;
            seen.size = consumed;
            return seen;
        }
        if (have >= bytes.size()) {
            return {};
        }
        std::size_t const more = std::min(step, bytes.size() - have);
        rest.append(bytes, have, more);
        have += more;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    if (size < 1) {
        return 0;
    }
    std::size_t const step = data[0] % 64 + 1;
    std::string const bytes(reinterpret_cast<char const*>(data) + 1, size - 1);
    Seen const memory = in_memory(bytes);
    Seen const streamed = in_pieces(bytes, step);
    Seen const at_once = in_pieces(bytes, bytes.size() + 1);
    require(streamed.whole == at_once.whole);
    require(!streamed.whole || (streamed.body == at_once.body && streamed.size == at_once.size));
    if (memory.whole) {
        require(at_once.whole);
        require(memory.body == at_once.body && memory.target == at_once.target);
        require(memory.size == at_once.size);
    }
    return 0;
}
