// SPDX-License-Identifier: Apache-2.0
#pragma once
// The practice Databricks from inside: what its handlers share. Touched on its executor only.
#include <deque>
#include <fstream>

#include "base/encoding.h"
#include "base/json.h"
#include "sandbox/sandbox.h"

namespace brickgate::sandbox {

// A request with its own copies, since it leaves the session that read it.
struct Asked {
    std::string method, path, query, body, content_type, authorization, cookie;
    FormFields fields;  // of the query, or of a form body
    std::string field(std::string_view name) const;
};

struct LogLine {
    std::uint64_t seq = 0;
    Time at{};
    std::string method, path, query, body, decision;
    std::string authorization;  // kind only, with the decoded Basic pair: the judge may see secrets
};

struct Ticket {  // an authorize request on its way through the two pages
    AuthorizeRequest request;
    std::optional<Person> person;
    Time expires_at{};
};

struct Sandbox::State {
    State(SandboxOptions given, Executor ex, Clock& c, Random& r, Timers& t)
        : options(std::move(given)),
          executor(ex),
          clock(c),
          random(r),
          timers(t),
          signer(r),
          grants(r) {}

    Task<ServerResponse> answer(Asked asked);
    ServerResponse route(Asked const& asked, LogLine& line, std::optional<Fault> const& fault);
    ServerResponse discovery(std::optional<Fault> const& fault);
    ServerResponse authorize(Asked const& asked, LogLine& line);
    ServerResponse sign_in(Asked const& asked);
    ServerResponse consent(Asked const& asked, LogLine& line);
    ServerResponse token(Asked const& asked, LogLine& line, std::optional<Fault> const& fault);
    ServerResponse token_answer(Issued const& issued, std::optional<Fault> const& fault);
    ServerResponse api(Asked const& asked);
    ServerResponse control(Asked const& asked);
    ServerResponse back(AuthorizeRequest const& request, FormFields fields);
    std::string id_token(Issued const& issued, Time now);
    std::string access_token(Issued const& issued, Time now);
    void keep();  // the demo's grants outlive a kill -9

    SandboxOptions options;
    Executor executor;
    Clock& clock;
    Random& random;
    Timers& timers;
    Signer signer;
    Grants grants;
    Faults faults;
    std::deque<LogLine> log;
    std::uint64_t next_seq = 1;
    std::uint64_t releases = 0;  // grows with each POST /_sandbox/release
    std::map<std::string, Ticket> tickets;
};

ServerResponse json_answer(int status, json::value const& document);

}  // namespace brickgate::sandbox
