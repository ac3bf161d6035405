// SPDX-License-Identifier: Apache-2.0
// Waiting for the next token: long polls and event streams, over a real refresh in simulated time.
#include "server/token_watch_routes.h"

#include <unistd.h>

#include "unit/tokens/world.h"

namespace brickgate::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// What a session does with a streamed answer, kept as text.
class FakeExchange final : public Exchange {
 public:
    FakeExchange(std::string target, std::vector<std::pair<std::string, std::string>> headers,
                 ListenerKind listener)
        : target_(std::move(target)), headers_(std::move(headers)) {
        request_ = ServerRequest::of("GET", target_);
        for (auto const& [name, value] : headers_) {
            request_.headers.push_back({name, value});
        }
        request_.listener = listener;
        if (listener == ListenerKind::local_socket) {
            request_.peer_uid = geteuid();
        }
    }
    ServerRequest const& request() const override { return request_; }
    bool is_tls() const override { return false; }
    std::optional<std::uint64_t> body_length() const override { return 0; }
    Task<Result<std::string_view>> read_body() override { co_return std::string_view(); }
    void begin(int status_code, std::string_view header_lines,
               std::optional<std::uint64_t> length) override {
        EXPECT_FALSE(length);
        status = status_code;
        header = header_lines;
    }
    Task<bool> write(std::string_view piece) override {
        text += client_is_gone ? "" : piece;
        co_return !client_is_gone;
    }
    Task<bool> finish() override {
        finished = true;
        co_return !client_is_gone;
    }
    bool begun() const override { return status != 0; }
    Task<bool> answer(ServerResponse response) override {
        status = response.status;
        text = response.body;
        retry_after = response.headers.get("Retry-After").value_or("");
        finished = true;
        co_return true;
    }
    Task<bool> flush() override { co_return true; }
    void abort() override { ADD_FAILURE() << "nothing is broken here"; }
    void when_gone(std::function<void()> call) override { client_leaves = std::move(call); }
    bool is_gone() override { return false; }
    void each_second(std::function<void()>) override {}
    void cut() override {}

    // The pieces that are events or comments.
    std::vector<std::string> blocks() const {
        std::vector<std::string> out;
        std::string_view rest = text;
        for (auto end = rest.find("\n\n"); end != std::string_view::npos; end = rest.find("\n\n")) {
            out.emplace_back(rest.substr(0, end));
            rest.remove_prefix(end + 2);
        }
        EXPECT_EQ(rest, "") << "a block without its end";
        return out;
    }
    std::string code() const {
        auto const document = parse_json(text);
        auto const* const error = document && document->is_object()
                                      ? object_at(document->get_object(), "error")
                                      : nullptr;
        return std::string(error ? string_at(*error, "code").value_or("") : "");
    }

    int status = 0;
    std::string header;
    std::string text;
    std::string retry_after;
    bool finished = false;
    bool client_is_gone = false;
    std::function<void()> client_leaves;

 private:
    std::string target_;
    std::vector<std::pair<std::string, std::string>> headers_;
    ServerRequest request_;
};

class WatchRoutes : public RefreshWorld {
 protected:
    WatchRoutes() {
        running();
        cache->on_change([this](ConnectionId const& id) { watch.changed(id); });
        keys = std::make_unique<ApiKeys>(*vault, *keyring, clock, random);
        routes = std::make_unique<TokenWatchRoutes>(TokenWatchRoutes::Parts{
            settings, *refresher, watch, *keys, context.get_executor(), clock, metrics,
            [this](ServerRequest const&) { return guesses; }});
        routes->add_to(streams);
    }
    ~WatchRoutes() override {
        watch.stop();
        timers.pass(0ms);
    }
    FakeExchange* ask(std::string target,
                      std::vector<std::pair<std::string, std::string>> headers = {},
                      ListenerKind listener = ListenerKind::local_socket) {
        exchanges.push_back(
            std::make_unique<FakeExchange>(std::move(target), std::move(headers), listener));
        auto* const out = exchanges.back().get();
        EXPECT_TRUE(streams.takes(out->request()));
        timers.start(streams.handle(*out));
        return out;
    }
    FakeExchange* poll(Connection const& row, std::string query) {
        return ask("/v1/connections/" + row.id.value() + "/token?" + std::move(query));
    }
    FakeExchange* events(Connection const& row,
                         std::vector<std::pair<std::string, std::string>> headers = {}) {
        return ask("/v1/connections/" + row.id.value() + "/token/events", std::move(headers));
    }
    void rotate(Connection const& row) {
        ASSERT_EQ(outcome_of(refresh(row)), "refreshed");
        timers.pass(0ms);
    }
    void kill_grant(Connection const& row) {
        http.answer = [](auto const&) { return refused(400, "invalid_grant"); };
        ASSERT_EQ(outcome_of(refresh(row)), "reauth_required");
        timers.pass(0ms);
    }
    // A key with the right to read tokens, as the header that shows it, and its id.
    std::pair<std::string, std::string> make_key(std::vector<std::string> rights) {
        auto made = run_task(keys->create("test", std::move(rights), std::nullopt));
        return {made->key.expose([](std::string_view key) { return "Bearer " + std::string(key); }),
                made->row.id};
    }

    std::optional<Error> guesses;
    ServerSettings settings;
    TokenWatch watch{4, timers};
    Metrics metrics;
    std::unique_ptr<ApiKeys> keys;
    std::unique_ptr<TokenWatchRoutes> routes;
    Streams streams;
    std::vector<std::unique_ptr<FakeExchange>>
        exchanges;  // they end with their handlers, at the end
};

TEST_F(WatchRoutes, a_poll_ends_with_the_next_token) {
    auto const row = connect("first", host_a, 2h);
    auto const* const asked = poll(row, "wait=1");
    timers.pass(30s);
    EXPECT_FALSE(asked->finished);
    EXPECT_EQ(watch.watchers(), 1U);
    rotate(row);
    ASSERT_TRUE(asked->finished);
    EXPECT_EQ(asked->status, 200);
    EXPECT_THAT(asked->text, HasSubstr(R"("access_token":"access-1")"));
    EXPECT_THAT(asked->text, HasSubstr(R"("generation":2)"));
    EXPECT_EQ(watch.watchers(), 0U);
}

TEST_F(WatchRoutes, who_is_behind_has_it_at_once_and_a_daemon_that_has_just_started_knows_it_too) {
    auto const row = connect("first", host_a, 2h);
    EXPECT_EQ(poll(row, "wait=0")->status, 200);
    rotate(row);
    EXPECT_EQ(poll(row, "wait=1")->status, 200);
    cache->forget(row.id);
    EXPECT_EQ(poll(row, "timeout=5&wait=1")->status, 200);
}

TEST_F(WatchRoutes, nothing_in_time_is_an_empty_answer) {
    auto const row = connect("first", host_a, 2h);
    auto const* const usual = poll(row, "wait=1");
    auto const* const brief = poll(row, "wait=1&timeout=3");
    auto const* const now = poll(row, "wait=1&timeout=0");
    auto const* const longest = poll(row, "wait=1&timeout=300");
    timers.pass(0ms);
    EXPECT_EQ(now->status, 204);
    timers.pass(3s);
    EXPECT_EQ(brief->status, 204);
    EXPECT_EQ(brief->text, "");
    timers.pass(51s);
    EXPECT_FALSE(usual->finished);
    timers.pass(1s);
    EXPECT_EQ(usual->status, 204);
    timers.pass(244s);
    EXPECT_FALSE(longest->finished);
    timers.pass(1s);
    EXPECT_EQ(longest->status, 204);
}

TEST_F(WatchRoutes, a_poll_that_wants_more_life_starts_the_refresh) {
    auto const row = connect("first", host_a, 1h);
    timers.pass(35min);
    auto const* const asked = poll(row, "wait=1&min_valid=1700");
    timers.pass(1s);
    EXPECT_EQ(asked->status, 200);
    EXPECT_THAT(asked->text, HasSubstr(R"("generation":2)"));
}

TEST_F(WatchRoutes, odd_questions_are_refused) {
    auto const row = connect("first");
    for (std::string const query :
         {"wait=", "wait=x", "wait=-1", "wait=1e3", "wait=99999999999999999999", "wait=1&timeout=x",
          "wait=1&timeout=", "wait=1&timeout=-1", "wait=1&timeout=301", "wait=1&min_valid=x",
          "wait=%zz"}) {
        auto const* const asked = poll(row, query);
        EXPECT_EQ(asked->status, 400) << query;
        EXPECT_EQ(asked->code(), "invalid_request") << query;
    }
    EXPECT_EQ(watch.watchers(), 0U);
}

TEST_F(WatchRoutes, strangers_and_keys_without_the_right_learn_nothing) {
    auto const row = connect("first");
    auto const [proxy, id] = make_key({"proxy"});
    for (std::string const tail : {"/token?wait=1", "/token/events"}) {
        std::string const target = "/v1/connections/" + row.id.value() + tail;
        EXPECT_EQ(ask(target, {}, ListenerKind::both)->status, 401);
        EXPECT_EQ(ask(target, {{"Authorization", "Bearer x"}}, ListenerKind::both)->status, 401);
        EXPECT_EQ(ask(target, {{"Authorization", proxy}}, ListenerKind::private_)->status, 403);
    }
}

TEST_F(WatchRoutes, only_these_paths_are_taken_and_never_from_the_public_listener) {
    auto const takes = [&](std::string const& target, ListenerKind listener = ListenerKind::both,
                           std::string const& method = "GET") {
        auto request = ServerRequest::of(method, target);
        request.listener = listener;
        return streams.takes(request);
    };
    EXPECT_TRUE(takes("/v1/connections/con_1/token?wait=1"));
    EXPECT_TRUE(takes("/v1/connections/con_1/token?min_valid=3&wait=1"));
    EXPECT_TRUE(takes("/v1/connections/con_1/token/events"));
    EXPECT_TRUE(takes("/v1/connections/con_1/token/events", ListenerKind::private_));
    EXPECT_FALSE(takes("/v1/connections/con_1/token/events", ListenerKind::public_));
    EXPECT_FALSE(takes("/v1/connections/con_1/token?wait=1", ListenerKind::public_));
    EXPECT_FALSE(takes("/v1/connections/con_1/token/events", ListenerKind::both, "POST"));
    for (std::string const target :
         {"/v1/connections/con_1/token", "/v1/connections/con_1/token?min_valid=3",
          "/v1/connections/con_1/token?await=1", "/v1/connections//token?wait=1",
          "/v1/connections/a/b/token?wait=1", "/v1/connections/%2e%2e/token?wait=1",
          "/v1/connections/token/events", "/x/v1/connections/con_1/token?wait=1"}) {
        EXPECT_FALSE(takes(target)) << target;
    }
    settings.base_path = "/gate";
    EXPECT_TRUE(takes("/gate/v1/connections/con_1/token/events"));
    EXPECT_FALSE(takes("/v1/connections/con_1/token/events"));
    EXPECT_TRUE(takes("/v1/connections/con_1/token/events", ListenerKind::local_socket));
    EXPECT_TRUE(takes("/gate/v1/connections/con_1/token/events", ListenerKind::private_));
}

TEST_F(WatchRoutes, too_many_watchers_are_told_when_to_come_again) {
    auto const row = connect("first", host_a, 2h);
    std::vector<FakeExchange*> waiting;
    for (int i = 0; i < 2; ++i) {
        waiting.push_back(poll(row, "wait=1"));
        waiting.push_back(events(row));
    }
    for (auto const* const refused : {poll(row, "wait=1"), events(row)}) {
        EXPECT_EQ(refused->status, 503);
        EXPECT_EQ(refused->code(), "overloaded");
        EXPECT_EQ(refused->retry_after, "5");
    }
    timers.pass(56s);  // the polls end
    EXPECT_FALSE(poll(row, "wait=1")->finished);
}

TEST_F(WatchRoutes, a_grant_that_ends_ends_all_who_wait_for_it) {
    auto const row = connect("first", host_a, 2h);
    auto const* const asked = poll(row, "wait=1");
    auto* const stream = events(row);
    kill_grant(row);
    EXPECT_EQ(asked->status, 409);
    EXPECT_EQ(asked->code(), "reauth_required");
    ASSERT_TRUE(stream->finished);
    EXPECT_THAT(stream->blocks().back(),
                StartsWith("event: end\ndata: {\"error\":{\"code\":\"reauth_required\""));
    EXPECT_EQ(events(row)->status, 409);
    EXPECT_EQ(poll(row, "wait=1")->status, 409);
    EXPECT_EQ(watch.watchers(), 0U);
}

TEST_F(WatchRoutes, a_shutdown_lets_go_at_once) {
    auto const row = connect("first", host_a, 2h);
    auto const* const asked = poll(row, "wait=1");
    auto* const stream = events(row);
    watch.stop();
    timers.pass(0ms);
    EXPECT_EQ(asked->status, 503);
    EXPECT_EQ(asked->code(), "shutting_down");
    EXPECT_EQ(asked->retry_after, "1");
    EXPECT_TRUE(stream->finished) << "whole: the client connects again by itself";
    EXPECT_THAT(stream->text, Not(HasSubstr("event: end")));
    EXPECT_EQ(poll(row, "wait=1")->status, 503);
}

TEST_F(WatchRoutes, events_bring_the_token_that_is_and_each_that_follows) {
    auto const row = connect("first", host_a, 2h);
    auto* const stream = events(row);
    EXPECT_EQ(stream->status, 200);
    EXPECT_THAT(stream->header, HasSubstr("Content-Type: text/event-stream\r\n"));
    EXPECT_THAT(stream->header, HasSubstr("Cache-Control: no-store\r\n"));
    EXPECT_THAT(stream->blocks().back(),
                StartsWith("event: token\nid: 1\ndata: {\"access_token\":\"access-first\""));
    for (int next = 2; next <= 4; ++next) {
        rotate(row);
        EXPECT_THAT(stream->blocks().back(),
                    StartsWith("event: token\nid: " + std::to_string(next) + "\ndata: {"));
    }
    EXPECT_FALSE(stream->finished);
}

TEST_F(WatchRoutes, who_comes_back_is_not_told_what_it_knows) {
    auto const row = connect("first", host_a, 2h);
    rotate(row);
    auto const* const known = events(row, {{"Last-Event-ID", "2"}});
    EXPECT_EQ(known->status, 200);
    EXPECT_NE(known->text, "") << "the header has left";
    EXPECT_THAT(known->text, Not(HasSubstr("event:")));
    rotate(row);
    EXPECT_THAT(known->blocks().back(), HasSubstr("id: 3\n"));
    // Of a database that was put back, or no generation at all.
    for (std::string const other : {"1", "7", "x"}) {
        EXPECT_THAT(events(row, {{"Last-Event-ID", other}})->text, HasSubstr("id: 3\n")) << other;
        timers.pass(0ms);
        watch.changed(row.id);
    }
}

TEST_F(WatchRoutes, a_stream_shows_that_it_lives) {
    auto const row = connect("first", host_a, 2h);
    auto* const stream = events(row);
    auto const before = stream->blocks().size();
    timers.pass(14s);
    EXPECT_EQ(stream->blocks().size(), before);
    timers.pass(46s);
    auto const blocks = stream->blocks();
    ASSERT_EQ(blocks.size(), before + 4);
    EXPECT_EQ(blocks.back(), ": still here");
}

TEST_F(WatchRoutes, a_client_that_goes_leaves_nothing) {
    auto const row = connect("first", host_a, 2h);
    auto* const stream = events(row);
    EXPECT_EQ(watch.watchers(), 1U);
    stream->client_is_gone = true;
    timers.pass(15s);
    EXPECT_EQ(watch.watchers(), 0U);
}

TEST_F(WatchRoutes, a_key_that_was_revoked_gets_nothing_more) {
    auto const row = connect("first", host_a, 2h);
    auto const [bearer, id] = make_key({"token:read"});
    std::string const path = "/v1/connections/" + row.id.value() + "/token";
    auto* const stream = ask(path + "/events", {{"Authorization", bearer}}, ListenerKind::both);
    auto const* const asked =
        ask(path + "?wait=1", {{"Authorization", bearer}}, ListenerKind::both);
    EXPECT_EQ(stream->status, 200);
    EXPECT_TRUE(run_task(keys->revoke(id)).value());
    rotate(row);
    EXPECT_EQ(asked->status, 401);
    ASSERT_TRUE(stream->finished);
    EXPECT_THAT(stream->blocks().back(), HasSubstr("unauthorized"));
    EXPECT_THAT(stream->text, Not(HasSubstr("access-1")));
}

TEST_F(WatchRoutes, trouble_that_passes_does_not_end_a_stream) {
    auto const row = connect("first", host_a, 1h);
    auto* const stream = events(row);
    http.answer = [](auto const&) { return refused(503, "temporarily_unavailable"); };
    timers.pass(70min);  // the token has run out meanwhile
    EXPECT_FALSE(stream->finished);
    http.answer = nullptr;
    timers.pass(10min);
    EXPECT_THAT(stream->text, HasSubstr("id: 2\n"));
}

TEST_F(WatchRoutes, metrics_know_how_many_wait) {
    auto const row = connect("first", host_a, 2h);
    poll(row, "wait=1");
    EXPECT_THAT(metrics.text(), HasSubstr("brickgate_token_watchers 1"));
}

TEST_F(WatchRoutes, T51_a_client_that_leaves_gives_its_place_back_at_once) {
    auto const row = connect("ada");
    auto* const waits = poll(row, "wait=1&timeout=300");
    auto* const listens = events(row);
    timers.pass(0ms);
    ASSERT_EQ(watch.watchers(), 2U);
    for (auto* const exchange : {waits, listens}) {
        ASSERT_TRUE(exchange->client_leaves);
        exchange->client_leaves();
        timers.pass(0ms);
        EXPECT_FALSE(exchange->client_leaves) << "what it refers to has gone";
    }
    EXPECT_EQ(watch.watchers(), 0U);
}

TEST_F(WatchRoutes, T49_guesses_are_slowed_down_here_too) {
    auto const row = connect("ada");
    std::string const wrong = "Bearer bg_0123456789abcdef_" + std::string(43, 'a');
    guesses = Error(ErrorCode::rate_limited, "Too many requests.").with_retry_after(Seconds(2));
    for (std::string const tail : {"/token/events", "/token?wait=1"}) {
        auto* const guess = ask("/v1/connections/" + row.id.value() + tail,
                                {{"Authorization", wrong}}, ListenerKind::both);
        timers.pass(0ms);
        EXPECT_EQ(guess->status, 429) << tail;
        EXPECT_EQ(guess->retry_after, "2") << tail;
    }
}

}  // namespace
}  // namespace brickgate::testing
