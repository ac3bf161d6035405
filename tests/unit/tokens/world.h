// SPDX-License-Identifier: Apache-2.0
#pragma once
// The refresh with real vault, cache and protocol, in front of token endpoints that answer as told
// and in a time that passes by itself. What a test sees is what was presented and what is kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/log.h"
#include "support/fake_spool.h"
#include "support/run_task.h"
#include "support/scripted_http.h"
#include "support/seeded_random.h"
#include "support/virtual_timers.h"
#include "tokens/refresher.h"
#include "tokens/scheduler.h"
#include "vault/keyring.h"
#include "vault/memory_store.h"
#include "vault/spooled_answer.h"
#include "vault/store_runner.h"

namespace brickgate::testing {

using namespace std::chrono_literals;

inline std::string const host_a = "https://dbc-a.cloud.databricks.com";
inline std::string const host_b = "https://dbc-b.cloud.databricks.com";

inline HttpAnswer refused(int status, std::string const& error) {
    return http_answer(status, R"({"error":")" + error + R"("})");
}
inline HttpAnswer broken(ErrorCode code, Sent sent) {
    return std::unexpected(TransportError{Error(code, "The test says so."), sent});
}

// Token endpoints: each call takes `latency` and is answered by `answer`, by default with new
// tokens whose names count on.
class FakeTokenEndpoints final : public HttpClient {
 public:
    struct Call {
        std::string url;
        std::string presented;
        Time at{};
        EgressPolicy egress;
    };
    explicit FakeTokenEndpoints(VirtualTimers& timers, ManualClock& clock)
        : timers_(timers), clock_(clock) {}

    Task<HttpAnswer> send(HttpRequest request, HttpLimits limits) override {
        Call call{request.url, presented_in(request), clock_.now(), limits.egress};
        if (limits.not_after && clock_.steady() > *limits.not_after) {
            co_return broken(ErrorCode::request_aborted, Sent::not_sent);
        }
        calls.push_back(call);
        in_the_air += 1;
        most_in_the_air = std::max(most_in_the_air, in_the_air);
        co_await timers_.sleep_for(latency ? latency(call) : 100ms);
        in_the_air -= 1;
        co_return answer ? answer(call) : fresh();
    }

    HttpAnswer fresh(int life = 3600) {
        issued += 1;
        json::object body{{"access_token", "access-" + std::to_string(issued)},
                          {"token_type", "Bearer"},
                          {"expires_in", life},
                          {"refresh_token", "refresh-" + std::to_string(issued)}};
        return http_answer(200, json::serialize(body));
    }
    std::size_t calls_to(std::string const& host) const {
        std::size_t found = 0;
        for (auto const& call : calls) {
            found += call.url.starts_with(host) ? 1 : 0;
        }
        return found;
    }
    std::vector<std::string> presented() const {
        std::vector<std::string> out;
        for (auto const& call : calls) {
            out.push_back(call.presented);
        }
        return out;
    }

    std::function<HttpAnswer(Call const&)> answer;
    std::function<Milliseconds(Call const&)> latency;
    std::vector<Call> calls;
    int issued = 0;
    int in_the_air = 0;
    int most_in_the_air = 0;

 private:
    static std::string presented_in(HttpRequest const& request) {
        return request.body.expose([](std::string_view text) {
            auto const fields = form_decode(text).value_or(FormFields{});
            for (auto const& [name, value] : fields) {
                if (name == "refresh_token") {
                    return value;
                }
            }
            return std::string();
        });
    }
    VirtualTimers& timers_;
    ManualClock& clock_;
};

// A store that can be away.
class FlakyRunner final : public StoreRunner {
 public:
    explicit FlakyRunner(Store& store) : inner_(store) {}
    Task<Result<void>> run(StoreJob job) override {
        if (before) {
            before();
        }
        if (down) {
            co_return fail(ErrorCode::store_unavailable, "The test says so.");
        }
        co_return co_await inner_.run(std::move(job));
    }
    bool down = false;
    std::function<void()> before;

 private:
    InlineStoreRunner inner_;
};

class RefreshWorld : public ::testing::Test {
 protected:
    RefreshWorld() {
        set_up_log(LogLevel::error, LogFormat::json);  // refusals are what these tests are about
        std::vector<Secret> roots;
        roots.push_back(Secret::copy_of(std::string(32, 'r')));
        keyring = std::move(*Keyring::open(std::move(roots), store, false, clock.now(), random));
        envelope = std::make_unique<Envelope>(*keyring, random);
        vault = std::make_unique<Vault>(runner, *envelope, clock, random);
        registrations = {registration("reg_1")};
    }
    ~RefreshWorld() override { crash(); }

    static std::shared_ptr<Registration> registration(std::string id) {
        auto out = std::make_shared<Registration>();
        out->id = RegistrationId(std::move(id));
        out->client.method = ClientAuthentication::Method::client_secret_post;
        out->client.client_id = ClientId("client-1");
        out->client.client_secret = Secret::copy_of("s3cret");
        return out;
    }
    // A run of the program; what an earlier one had in memory is gone.
    Refresher& start(std::string boot = "boot-1") {
        cache = std::make_unique<TokenCache>(random, policy);
        refresher = std::make_unique<Refresher>(
            Refresher::Parts{registrations, *vault, spool, http, *cache, clock, random, timers,
                             policy, "node_a", std::move(boot), concurrency});
        return *refresher;
    }
    Refresher& running() { return refresher ? *refresher : start(); }

    NewTokens tokens(std::string const& name, Milliseconds life = 1h) {
        NewTokens out;
        out.tokens.access = AccessToken(Secret::copy_of("access-" + name));
        out.tokens.refresh = RefreshToken(Secret::copy_of("refresh-" + name));
        out.tokens.expires_at = clock.now() + life;
        out.received_at = clock.now();
        out.refresh_due_at = clock.now() + life / 2;
        return out;
    }
    Connection connect(std::string const& subject, std::string const& host = host_a,
                       Milliseconds life = 1h, std::string const& registered = "reg_1",
                       std::string const& endpoint = {}) {
        Connection row;
        row.registration = RegistrationId(registered);
        row.subject = subject;
        row.issuer = Issuer(host + "/oidc");
        row.workspace = host;
        row.token_endpoint = endpoint.empty() ? host + "/oidc/v1/token" : endpoint;
        row.principal = {"ada", "ada@example.com", "Ada"};
        row.scopes = Scopes{"all-apis", "offline_access"};
        return run_task(vault->connect(std::move(row), tokens(subject, life), {})).value();
    }
    Connection row_of(Connection const& row) { return store.rows().connections.at(row.id.value()); }

    Result<Connection> refresh(Connection const& row) {
        return timers.run(running().refresh(row.id, row_of(row).generation));
    }
    Result<TokenView> token(Connection const& row, TokenWish wish = {}) {
        return timers.run(running().token(row.id, wish));
    }
    // For timers.start(): callers that do not wait for each other.
    Task<void> refresh_later(ConnectionId id, std::uint64_t generation) {
        (void)co_await refresher->refresh(id, generation);
    }
    Task<void> ask_later(ConnectionId id, std::vector<std::string>& seen) {
        auto const view = co_await refresher->token(id, {});
        seen.push_back(text_of(view));
    }
    static std::string text_of(Result<TokenView> const& view) {
        return view ? view->access_token.expose(
                          [](std::string_view text) { return std::string(text); })
                    : std::string(view.error().name());
    }
    static std::string outcome_of(Result<Connection> const& result) {
        return result ? "refreshed" : std::string(result.error().name());
    }
    static std::string name_of(Connection const& row) { return std::string(to_string(row.state)); }
    std::string token_in_memory(Connection const& row) {
        std::string out = "none";
        cache->use_any_valid(row.id, clock.now(), [&](CachedToken const&, std::string_view text) {
            out = std::string(text);
        });
        return out;
    }
    std::vector<std::string> event_types() {
        std::vector<std::string> out;
        for (auto const& event : store.rows().events) {
            out.push_back(event.type);
        }
        return out;
    }
    // The run ends where it stands: nothing that it waits for comes, nothing is written any more.
    void crash() {
        runner.down = true;
        timers.abandon();
        runner.down = false;
        http.in_the_air = 0;
    }
    Result<void> restart(std::string boot = "boot-2") {
        crash();
        auto entries = spool.take_unresolved();
        start(std::move(boot));
        return timers.run(refresher->recover(std::move(entries)));
    }

    boost::asio::io_context context{1};
    ManualClock clock;
    VirtualTimers timers{context, clock};
    SeededRandom random;
    MemoryStore store;
    FlakyRunner runner{store};
    std::unique_ptr<Keyring> keyring;
    std::unique_ptr<Envelope> envelope;
    std::unique_ptr<Vault> vault;
    FakeSpool spool;
    FakeTokenEndpoints http{timers, clock};
    RefreshPolicy policy;
    unsigned concurrency = 8;
    std::vector<std::shared_ptr<Registration const>> registrations;
    std::unique_ptr<TokenCache> cache;
    std::unique_ptr<Refresher> refresher;
    std::vector<std::unique_ptr<Scheduler>> schedulers;
};

}  // namespace brickgate::testing
