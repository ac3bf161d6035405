// SPDX-License-Identifier: Apache-2.0
// Z2, Z20 and the proxy's other pure rules under random input. The first byte chooses the rule, the
// rest is its input; what must hold for every input aborts where it does not.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "base/http_message.h"
#include "proxy/header_rules.h"
#include "proxy/rejection.h"
#include "proxy/retry_policy.h"
#include "proxy/target_rules.h"

namespace {

using namespace brickgate;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

// Takes pieces off the front of the input.
class Input {
 public:
    explicit Input(std::string_view bytes) : bytes_(bytes) {}
    bool empty() const { return bytes_.empty(); }
    std::uint8_t byte() {
        std::uint8_t const out = bytes_.empty() ? 0 : static_cast<std::uint8_t>(bytes_.front());
        bytes_.remove_prefix(bytes_.empty() ? 0 : 1);
        return out;
    }
    std::int64_t number() {
        std::uint64_t out = 0;
        for (int i = 0; i < 8; ++i) {
            out = out << 8 | byte();
        }
        return static_cast<std::int64_t>(out);
    }
    std::string_view until(char end) {
        auto const at = std::min(bytes_.find(end), bytes_.size());
        auto const out = bytes_.substr(0, at);
        bytes_.remove_prefix(std::min(at + 1, bytes_.size()));
        return out;
    }
    std::string_view rest() { return std::exchange(bytes_, {}); }

 private:
    std::string_view bytes_;
};

std::string decoded_once(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto const digits = text.substr(std::min(i + 1, text.size()), 2);
        auto const byte = text[i] == '%' && digits.size() == 2 ? hex_decode(digits) : std::nullopt;
        out += byte ? *byte : std::string(1, text[i]);
        i += byte ? 2 : 0;
    }
    return out;
}

// Dots, backslashes and ";parameters" as the most careless reader takes them.
bool leaves(std::string_view path, std::size_t depth_least) {
    std::size_t depth = 0;
    for (std::size_t at = 1; at <= path.size();) {
        auto const end = std::min(path.find_first_of("/\\", at), path.size());
        auto const segment = path.substr(at, end - at);
        auto const name = segment.substr(0, segment.find(';'));
        if (name == "..") {
            return true;  // whatever it leads to, nobody needs it
        }
        depth += name.empty() || name == "." ? 0 : 1;
        at = end + 1;
    }
    return depth < depth_least;
}

void target_rules(Input input) {
    std::string_view const raw = input.rest();
    auto const checked = check_target(raw);
    require(path_within(raw, raw) == raw.starts_with('/'));
    if (!checked) {
        return;
    }
    auto const mark = raw.find('?');
    require(checked->path() == raw.substr(0, mark));
    require(checked->query().size() <= raw.size());
    require(is_proxied_path(checked->path()) && path_within(checked->path(), "/"));
    require(check_target(checked->raw).value().raw == checked->raw);  // nothing left to cut
    std::string reading(checked->path());
    for (int times = 0; times < 4; ++times) {
        require(is_proxied_path(reading) && !leaves(reading, 1));
        require(std::ranges::none_of(
            reading, [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f || c == '\\'; }));
        reading = decoded_once(reading);
    }
}

std::vector<HeaderField> fields_from(Input& input) {
    std::vector<HeaderField> fields;
    while (!input.empty() && fields.size() < 100) {
        auto const name = input.until(':');
        fields.push_back({name, input.until('\n')});
    }
    return fields;
}

std::vector<HeaderField> lines_of(std::string_view out) {
    std::vector<HeaderField> lines;
    while (!out.empty()) {
        auto const end = out.find("\r\n");
        require(end != std::string_view::npos);
        auto const line = out.substr(0, end);
        auto const colon = line.find(": ");
        require(colon != std::string_view::npos && colon > 0);
        require(line.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
        lines.push_back({line.substr(0, colon), line.substr(colon + 2)});
        out.remove_prefix(end + 2);
    }
    return lines;
}

std::ptrdiff_t count(std::vector<HeaderField> const& lines, std::string_view name) {
    return std::ranges::count_if(
        lines, [&](HeaderField const& line) { return equals_ignoring_case(line.name, name); });
}

void request_headers(Input input) {
    RequestHeaderRules const rules{
        .extra_allowed = {"Authorization", "Cookie", "Host", "Connection", "X-Custom",
                          "Content-Length", "Transfer-Encoding", "X-Databricks-Org-Id"},
        .user_agent_suffix = "brickgate/1"};
    std::string out = "GET / HTTP/1.1\r\n";
    std::size_t const begin = out.size();
    auto const fields = fields_from(input);
    if (!append_request_headers(out, fields, rules, "7")) {
        require(out.size() == begin);
        return;
    }
    auto const lines = lines_of(std::string_view(out).substr(begin));
    for (std::string_view const name : {"Authorization", "Cookie", "Host", "Connection",
                                        "Content-Length", "Transfer-Encoding", "Expect", "TE"}) {
        require(count(lines, name) == 0);
    }
    require(count(lines, "X-Databricks-Org-Id") == 1);
    require(count(lines, "X-Databricks-Workspace-Id") == 1);
    require(count(lines, "User-Agent") == 1);
    require(lines.size() <= fields.size() + 3);
}

void response_headers(Input input) {
    std::string out;
    auto const fields = fields_from(input);
    if (!append_response_headers(out, fields)) {
        require(out.empty());
        return;
    }
    auto const lines = lines_of(out);
    for (std::string_view const name :
         {"Set-Cookie", "Connection", "Content-Length", "Transfer-Encoding", "Date", "Link",
          "Strict-Transport-Security", "Access-Control-Allow-Origin", "X-Accel-Redirect"}) {
        require(count(lines, name) == 0);
    }
    for (std::string_view const name :
         {"X-Content-Type-Options", "Content-Security-Policy", "Cross-Origin-Resource-Policy"}) {
        require(count(lines, name) == 1);
    }
    require(count(lines, "Cache-Control") >= 1);
}

void rejections(Input input) {
    int const status = static_cast<int>(input.byte()) + 300;
    auto const challenge = input.until('\n');
    auto const verdict = judge_token(status, input.rest(), challenge);
    require(verdict == TokenVerdict::accepted || status == 400 || status == 401 || status == 403);
}

void server_waits(Input input) {
    constexpr std::int64_t year_3000 = 32'503'680'000'000;
    Time const now = time_from_ms((input.number() & INT64_MAX) % year_3000);
    auto const header = input.until('\n');
    auto const wait = server_wait_of(header, input.rest(), now);
    require(!wait || (*wait >= Milliseconds(0) && *wait <= server_wait_max));
    auto const told = retry_after_seconds(wait.value_or(Milliseconds(0)));
    require(told != "0" && told.size() <= 5);
}

void retries(Input input) {
    static constexpr auto methods =
        std::to_array<std::string_view>({"GET", "HEAD", "PUT", "DELETE", "POST", "PATCH", "X"});
    static constexpr auto statuses =
        std::to_array<int>({0, 200, 401, 403, 429, 500, 502, 503, 504});
    RetryQuestion question;
    question.method = methods[input.byte() % methods.size()];
    question.status = statuses[input.byte() % statuses.size()];
    auto const flags = input.byte();
    question.has_idempotency_token = (flags & 1) != 0;
    question.replayable = (flags & 2) != 0;
    question.sent_maybe = (flags & 4) != 0;
    question.reused_connection = (flags & 8) != 0;
    question.attempt = input.byte();
    question.elapsed = Milliseconds(input.number());
    question.dice = static_cast<double>(input.number()) / 1e18;
    if ((flags & 16) != 0) {
        question.server_wait = Milliseconds(input.number());
    }
    question.path = input.rest();
    RetryPolicy const policy;
    auto const decision = policy.decide(question);
    require(!decision.reason.empty() && decision.wait >= Milliseconds(0));
    if (!decision.retry) {
        return;
    }
    require(question.replayable && question.attempt < policy.attempts_max);
    require(decision.wait <= policy.time_max - std::max(question.elapsed, Milliseconds(0)));
    bool const may_be_done = question.status == 502 || question.status == 504 ||
                             (question.status == 0 && question.sent_maybe);
    require(!may_be_done || question.method != "PATCH");
    require(!may_be_done || question.method != "POST" || question.has_idempotency_token);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    static constexpr std::array rules{target_rules, request_headers, response_headers,
                                      rejections,   server_waits,    retries};
    Input input(std::string_view(reinterpret_cast<char const*>(data), size));
    auto const rule = rules[input.byte() % rules.size()];
    rule(input);
    body_has_idempotency_token(input.rest());
    return 0;
}
