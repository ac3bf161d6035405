// SPDX-License-Identifier: Apache-2.0
#pragma once
// The practice Databricks from inside: what its handlers share. Touched on its executor only; a
// handler runs from start to end without a wait, so a request is judged in one piece.
#include <map>
#include <string_view>

#include "base/encoding.h"
#include "base/json.h"
#include "sandbox/judge.h"
#include "sandbox/mischief.h"
#include "sandbox/sandbox.h"

namespace brickgate::sandbox {

inline constexpr std::string_view workspace_id = "1234567890123456";
inline constexpr std::string_view account_id = "7a1c0de0-0000-4000-8000-000000000001";

// A request with its own copies, since it leaves the session that read it.
struct Asked {
    std::string method, target, path, query, body, content_type, authorization;
    std::vector<std::pair<std::string, std::string>> headers;
    FormFields fields;  // of the query, or of a form body
    bool fields_readable = true;

    static Asked from(ServerRequest const& request);
    std::string field(std::string_view name) const;   // the first; empty if there is none
    std::string header(std::string_view name) const;  // likewise
    std::string repeated_field() const;               // a name that occurs twice, or empty
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
    Task<ServerResponse> answer_with_fault(Asked asked, Fault fault, LogLine line);
    Task<bool> held(bool answers);
    Task<void> wait(Milliseconds time);
    ServerResponse obey(Asked const& asked, LogLine& line, std::optional<Fault> const& fault);
    ServerResponse route(Asked const& asked, LogLine& line, std::optional<Fault> const& fault);
    ServerResponse discovery(std::optional<Fault> const& fault) const;

    ServerResponse authorize(Asked const& asked, LogLine& line, std::optional<Fault> const& fault);
    ServerResponse sign_in(Asked const& asked, LogLine& line);
    ServerResponse consent(Asked const& asked, LogLine& line);
    ServerResponse back(AuthorizeRequest const& request, FormFields fields) const;
    Ticket* ticket_of(Asked const& asked);

    ServerResponse token(Asked const& asked, LogLine& line, std::optional<Fault> const& fault);
    ServerResponse token_answer(Issued const& issued, std::string_view hint,
                                std::optional<Fault> const& fault);
    std::string id_token(Issued const& issued, std::string const& access, Time now) const;
    std::string access_token(Issued const& issued, Time now) const;

    ServerResponse api(Asked const& asked, LogLine& line);
    ServerResponse control(Asked const& asked);

    std::string uuid() const;
    void restore();
    void keep() const;  // the demo's grants outlive a kill -9

    SandboxOptions options;
    Executor executor;
    Clock& clock;
    Random& random;
    Timers& timers;
    Signer signer;
    Grants grants;
    Faults faults;
    Judge judge;
    std::uint64_t releases = 0;  // grows with each POST /_sandbox/release
    std::string release_then;    // what the last one said: answer | end | nothing
    bool stopping = false;
    std::map<std::string, Ticket> tickets;
};

}  // namespace brickgate::sandbox
