// SPDX-License-Identifier: Apache-2.0
#include "tokens/refresh_drive.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "databricks/endpoints.h"
#include "databricks/workspace.h"
#include "oauth/metadata.h"
#include "oauth/token_endpoint.h"
#include "tokens/principal_answer.h"
#include "vault/spooled_answer.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;

HttpLimits grant_limits(Registration const& registration, std::string const& workspace) {
    HttpLimits limits;
    limits.too_large = ErrorCode::token_too_large;
    limits.fresh_connection = true;
    limits.egress.operator_listed = is_named_by_operator(registration.hosts, workspace) &&
                                    !databricks_host_kind(host_of(workspace)).has_value();
    limits.egress.allowed_networks = registration.allowed_networks;
    return limits;
}

}  // namespace

RefreshDrive::RefreshDrive(Refresher& owner, ConnectionId id, refresh::Machine machine)
    : owner_(owner), parts_(owner.parts_), id_(std::move(id)), machine_(std::move(machine)) {}

RefreshDrive::~RefreshDrive() {
    if (pass_) {
        owner_.gatekeeper_.gave_up(*pass_);
    }
}

void RefreshDrive::take_answer(std::uint64_t seq, std::string attempt, Time asked_at,
                               HttpResponse answer) {
    spool_seq_ = seq;
    attempt_ = std::move(attempt);
    asked_at_ = asked_at;
    answer_ = std::move(answer);
}

Task<Result<Connection>> RefreshDrive::run(refresh::Event first) {
    if (auto const* replayed = std::get_if<refresh::Replayed>(&first)) {
        row_ = replayed->row;
        registration_ = owner_.registration_of(*row_);
        if (auto token = parts_.vault.open_refresh(*row_)) {
            presented_ = std::move(*token);
        }
    }
    refresh::Event event = std::move(first);
    for (;;) {
        refresh::Action action = machine_.step(event, moment());
        if (std::holds_alternative<refresh::Done>(action)) {
            co_return *row_;
        }
        if (auto const* end = std::get_if<refresh::GiveUp>(&action)) {
            co_return fail(error_of(*end));
        }
        event = co_await perform(std::move(action));
    }
}

Task<refresh::Event> RefreshDrive::perform(refresh::Action action) {
    if (std::holds_alternative<refresh::Load>(action)) {
        co_return co_await load();
    }
    if (std::holds_alternative<refresh::Claim>(action)) {
        co_return co_await claim();
    }
    if (auto const* send_it = std::get_if<refresh::Send>(&action)) {
        co_return co_await send(send_it->not_after);
    }
    if (std::holds_alternative<refresh::SpoolAnswer>(action)) {
        co_return co_await spool_answer();
    }
    if (std::holds_alternative<refresh::Parse>(action)) {
        co_return parse();
    }
    if (std::holds_alternative<refresh::Publish>(action)) {
        co_return publish();
    }
    if (std::holds_alternative<refresh::Save>(action)) {
        co_return co_await save();
    }
    if (auto const* dead = std::get_if<refresh::Fail>(&action)) {
        co_return co_await write_failure(dead->reason, dead->code);
    }
    if (auto* later = std::get_if<refresh::WriteBackOff>(&action)) {
        co_return co_await write_back_off(std::move(later->back_off), later->code);
    }
    co_await parts_.timers.sleep_for(std::get<refresh::Wait>(action).wait);
    co_return refresh::Tick{};
}

Task<refresh::Event> RefreshDrive::load() {
    auto row = co_await parts_.vault.find(id_);
    if (!row) {
        co_return failure_of(row.error());
    }
    row_ = std::move(*row);
    co_return refresh::Loaded{row_};
}

Task<refresh::Event> RefreshDrive::claim() {
    if (owner_.stopping_) {
        co_return refresh::NotAdmitted{ErrorCode::shutting_down, std::chrono::seconds(1)};
    }
    registration_ = owner_.registration_of(*row_);
    if (!registration_) {
        co_return refresh::NotAdmitted{ErrorCode::app_fault, std::chrono::minutes(1)};
    }
    auto room = parts_.spool.reserve();
    if (!room) {
        owner_.tell_spool_full(room.error());
        co_return refresh::NotAdmitted{room.error().code(), std::chrono::seconds(10)};
    }
    Time const now = parts_.clock.now();
    if (!pass_) {
        auto pass = owner_.gatekeeper_.knock(row_->workspace, registration_->id, now);
        if (!pass) {
            co_return refresh::NotAdmitted{pass.error().code, pass.error().wait};
        }
        pass_ = std::move(*pass);
    }
    room_ = std::move(*room);
    attempt_ = parts_.random.hex(16);
    failpoint("K0");
    ClaimRequest request{id_,      row_->family, row_->generation,       parts_.node, parts_.boot,
                         attempt_, now,          refresh::Limits{}.lease};
    auto claimed = co_await parts_.vault.claim(std::move(request));
    if (!claimed) {
        co_return failure_of(claimed.error());
    }
    if (!*claimed) {
        if (pass_->probe) {  // while it waits for whoever has the claim, another may be the probe
            owner_.gatekeeper_.gave_up(*std::exchange(pass_, std::nullopt));
        }
        co_return refresh::NotClaimed{};
    }
    row_ = std::move((*claimed)->row);
    presented_ = std::move((*claimed)->refresh_token);
    failpoint("K2");
    co_return refresh::Claimed{*row_};
}

Task<refresh::Event> RefreshDrive::send(Instant not_after) {
    auto const endpoint = token_endpoint();
    if (!endpoint) {
        co_return refresh::NotSent{endpoint.error().code()};
    }
    HttpLimits limits = grant_limits(*registration_, row_->workspace);
    limits.not_after = not_after;
    owner_.counters_.started += 1;
    if (row_->intent && row_->intent->presented > 1) {
        owner_.counters_.presented_again += 1;
    }
    asked_at_ = parts_.clock.now();
    auto answer = co_await present(*endpoint, std::move(limits));
    if (answer) {
        failpoint("K8");
        answer_ = std::move(*answer);
        co_return refresh::Answered{};
    }
    ErrorCode const code = answer.error().error.code();
    note_failure(code);
    log(LogLevel::warning, "refresh_transport", answer.error().error.message(),
        {{"connection", id_.value()},
         {"code", info_of(code).name},
         {"detail", answer.error().error.detail()}});
    if (answer.error().sent == Sent::not_sent || is_principals()) {
        owner_.counters_.not_spent += 1;
        co_return refresh::NotSent{code};
    }
    owner_.counters_.maybe_spent += 1;
    co_return refresh::MaybeSent{code, code != ErrorCode::upstream_timeout};
}

Task<refresh::Event> RefreshDrive::spool_answer() {
    SpoolIdentity identity{SpoolKind::refresh, id_.value(), row_->family, row_->generation,
                           attempt_};
    auto seq = co_await parts_.spool.append(room_, std::move(identity), asked_at_,
                                            encode_answer(*answer_));
    if (!seq) {
        co_return refresh::SpoolFailed{};
    }
    spool_seq_ = *seq;
    co_return refresh::Spooled{};
}

refresh::Event RefreshDrive::parse() {
    auto tokens = parse_token_response(*answer_, asked_at_);
    refresh::Parsed parsed{classify_token_answer(answer_->status, tokens)};
    if (is_principals()) {
        parsed.answer = as_a_principals(parsed.answer);
    }
    if (!tokens) {
        parsed.code = tokens.error().code();
        parsed.retry_after = tokens.error().retry_after();
        parsed.may_be_spent = answer_->status >= 200 && answer_->status < 300;
        parsed.end_seen = answer_->status != 502 && answer_->status != 504;
        log(LogLevel::warning, "refresh_refused", tokens.error().message(),
            {{"connection", id_.value()},
             {"code", tokens.error().name()},
             {"status", answer_->status},
             {"detail", tokens.error().detail()}});
    } else {
        tokens_ = std::move(*tokens);
    }
    protocol_error_ = parsed.answer == AnswerClass::protocol_error;
    if (protocol_error_) {
        log(LogLevel::error, "refresh_unreadable",
            "An answer that may hold a new token cannot be read; it is kept in the spool.",
            {{"connection", id_.value()}, {"status", answer_->status}});
    }
    note_answer(parsed);
    return parsed;
}

// What the host is to blame for. Our own deadline, our full queue or the guard that kept us from
// connecting say nothing about it.
void RefreshDrive::note_failure(ErrorCode code) {
    bool const hosts = code == ErrorCode::upstream_unreachable ||
                       code == ErrorCode::upstream_timeout ||
                       code == ErrorCode::upstream_malformed ||
                       code == ErrorCode::token_too_large || code == ErrorCode::tls_failed;
    auto const pass = std::exchange(pass_, std::nullopt);
    if (hosts) {
        owner_.gatekeeper_.failed(*pass, parts_.clock.now());
    } else {
        owner_.gatekeeper_.gave_up(*pass);
    }
}

void RefreshDrive::note_reopened(Gatekeeper::Reopened const& reopened) {
    if (reopened.host) {
        owner_.ended_outages_.push_back({row_->workspace, std::nullopt});
    }
    if (reopened.registration) {
        owner_.ended_outages_.push_back({std::nullopt, registration_->id});
    }
}

void RefreshDrive::note_answer(refresh::Parsed const& parsed) {
    auto& counters = owner_.counters_;
    auto& gatekeeper = owner_.gatekeeper_;
    auto const pass = std::exchange(pass_, std::nullopt);
    if (!pass) {
        return;  // a replay: what the host said to a dead run says nothing about it now
    }
    Time const now = parts_.clock.now();
    switch (parsed.answer) {
        case AnswerClass::success:
            counters.succeeded += 1;
            note_reopened(gatekeeper.succeeded(*pass, registration_->id));
            return;
        case AnswerClass::grant_dead:
        case AnswerClass::refused:
            note_reopened({gatekeeper.answered(*pass), false});
            return;
        case AnswerClass::client_fault: {
            counters.app_fault += 1;
            auto const fault = gatekeeper.fault_of(registration_->id);
            auto const wait = parts_.policy.operator_wait(fault ? fault->count : 0);
            gatekeeper.app_failed(registration_->id, parsed.code, now, wait);
            gatekeeper.answered(*pass);
            return;
        }
        case AnswerClass::not_spent:
            counters.not_spent += 1;
            gatekeeper.unsure(*pass, now);
            return;
        case AnswerClass::maybe_spent:
            counters.maybe_spent += 1;
            gatekeeper.failed(*pass, now);
            return;
        case AnswerClass::protocol_error:
            counters.protocol_error += 1;
            gatekeeper.failed(*pass, now);
            return;
        case AnswerClass::host_blocked:
        case AnswerClass::host_misconfigured:
            counters.host_blocked += 1;
            gatekeeper.unsure(*pass, now);
            return;
    }
}

refresh::Event RefreshDrive::publish() {
    // What the row will say once it is saved: the token is on disk, so callers may have it already.
    Connection ahead = *row_;
    ahead.generation += 1;
    ahead.access_issued_at = asked_at_;
    ahead.access_expires_at = tokens_->expires_at;
    ahead.token_type = tokens_->token_type;
    if (tokens_->scopes) {
        ahead.scopes = *tokens_->scopes;
    }
    ahead.current_fingerprint = tokens_->access.expose(
        [&](std::string_view text) { return parts_.vault.fingerprint(text); });
    owner_.remember(ahead, tokens_->access);
    return refresh::Tick{};
}

Result<std::string> RefreshDrive::token_endpoint() const {
    auto const& fixed = registration_->endpoints;
    if (fixed && fixed->token_endpoint == row_->token_endpoint) {
        return row_->token_endpoint;
    }
    // The issuer is bound into the seal of the token and the endpoint is not, so a database that
    // was tampered with could at most change the path.
    if (origin_of(row_->token_endpoint) != origin_of(row_->issuer.value())) {
        return fail(ErrorCode::metadata_endpoint_denied,
                    "The token endpoint is not on the issuer's host.");
    }
    return row_->token_endpoint;
}

refresh::Moment RefreshDrive::moment() {
    return {parts_.clock.now(), parts_.clock.steady(), parts_.random.unit()};
}

Error RefreshDrive::error_of(refresh::GiveUp const& end) const {
    auto const sentence = [&]() -> std::string {
        switch (end.code) {
            case ErrorCode::reauth_required:
                return "This connection must be signed in again.";
            case ErrorCode::session_only:
                return "This grant came without a refresh token and ends with its access token.";
            case ErrorCode::app_fault:
                return "Databricks refuses this gateway's own client registration.";
            case ErrorCode::refresh_failed:
                return "Databricks refuses the refresh with an error that is not known here.";
            case ErrorCode::host_blocked:
                return "The workspace's token endpoint does not answer as an OAuth server does.";
            case ErrorCode::host_misconfigured:
                return "The workspace's token endpoint redirects elsewhere, which is not followed.";
            case ErrorCode::connection_unknown:
                return "There is no connection with this id.";
            case ErrorCode::shutting_down:
                return "The gateway is stopping.";
            case ErrorCode::spool_full:
                return "There is no room to keep a new token safe.";
            case ErrorCode::vault_error:
            case ErrorCode::vault_unknown_key:
                return "A sealed record of this connection does not open.";
            case ErrorCode::store_unavailable:
                return "The gateway's database does not answer.";
            default:
                return "A fresh token is not to be had right now; the gateway keeps trying.";
        }
    }();
    Error error(end.code, sentence);
    if (end.reason != ReauthReason::none) {
        return std::move(error).with_reason(to_string(end.reason));
    }
    if (end.retry_after) {
        return std::move(error).with_retry_after(*end.retry_after);
    }
    return error;
}

}  // namespace brickgate
