// SPDX-License-Identifier: Apache-2.0
#pragma once
// The log that tests read as the judge: every request as it came, when, what was decided about it
// and what was answered. It holds the secrets of practice people: that is its purpose. One thread.
#include <boost/json.hpp>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace brickgate::sandbox {

struct LogLine {
    std::uint64_t seq = 0;
    Time at{};
    std::string method, target, path, query, body;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string authorization;     // a Basic pair decoded, of anything else the kind only
    std::string fault;             // the scripted one it met
    std::string decision;          // in words: "refresh_token: refreshed", "refused: json body"
    std::string family;            // the token family concerned
    std::uint64_t generation = 0;  // of the family after it, where something was committed
    std::string presented;         // hash of the refresh token that was sent
    int status = 0;                // 0: not answered (yet)
};

class Judge {
 public:
    std::uint64_t note(LogLine line);  // gives its number
    void amend(LogLine const& line);   // by number; nothing if it was forgotten
    void clear() { lines_.clear(); }
    boost::json::array since(std::uint64_t seq) const;

 private:
    std::deque<LogLine> lines_;  // numbers without gaps
    std::uint64_t next_ = 1;
};

}  // namespace brickgate::sandbox
