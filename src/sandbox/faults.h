// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the practice Databricks does wrong on purpose, scripted: which requests meet which fault.
// What a fault does to an answer is mischief.h. Pure; one thread. docs/sandbox.md lists the kinds.
#include <boost/json.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "sandbox/settings.h"

namespace brickgate::sandbox {

struct Fault {
    std::string endpoint;  // discovery | jwks | authorize | token | api
    std::string kind;
    int status = 503;                // of status and answer
    std::string value;               // Retry-After, Location, error code, ...
    std::string body, content_type;  // of answer
    Milliseconds latency{0};         // before anything else
    Milliseconds pause{1000};        // of one_byte_per_second
    bool after_commit = false;       // the request is obeyed, then the answer replaced
    std::uint64_t count = 1;         // 0: until it is taken away
    std::map<std::string, std::string> match = {};  // fields of the query or form; "path"

    bool is(std::string_view name) const { return kind == name; }
};

class Faults {
 public:
    using Field = std::function<std::string(std::string const& name)>;

    std::optional<std::string> add(boost::json::object const& description);  // a complaint
    void clear() { faults_.clear(); }
    // The first fault that is meant for this request; one of its `count` is used up.
    std::optional<Fault> take(std::string_view endpoint, Field const& field);
    boost::json::array to_json() const;

 private:
    std::deque<Fault> faults_;
};

// The settings as this fault bends them for one request.
Settings bent(Settings settings, std::optional<Fault> const& fault);

}  // namespace brickgate::sandbox
