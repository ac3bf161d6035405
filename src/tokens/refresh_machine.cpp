// SPDX-License-Identifier: Apache-2.0
#include "tokens/refresh_machine.h"

#include <cassert>

namespace brickgate::refresh {

namespace {

using namespace std::chrono_literals;

Seconds up_to_seconds(Milliseconds wait) {
    return std::max(Seconds(1), std::chrono::ceil<Seconds>(wait));
}

}  // namespace

Machine::Machine(std::uint64_t generation, RefreshPolicy policy, Limits limits)
    : generation_(generation), policy_(policy), limits_(limits) {}

Action Machine::step(Event const& event, Moment const& now) {
    if (std::holds_alternative<StoreDown>(event)) {
        return on_store_down(now);
    }
    if (auto const* failed = std::get_if<VaultFailed>(&event)) {
        return give_up(failed->code);
    }
    switch (state_) {
        case State::idle:
            return begin(event);
        case State::loading:
            if (auto const* loaded = std::get_if<Loaded>(&event)) {
                return on_loaded(*loaded, now);
            }
            return wrong_order();
        case State::claiming:
            return on_claim(event, now);
        case State::sending:
            return on_sent(event, now);
        case State::spooling:
            spooled_ = std::holds_alternative<Spooled>(event);
            if (!spooled_ && !std::holds_alternative<SpoolFailed>(event)) {
                return wrong_order();
            }
            state_ = State::parsing;
            return Parse{};
        case State::parsing:
            if (auto const* parsed = std::get_if<Parsed>(&event)) {
                return on_parsed(*parsed, now);
            }
            return wrong_order();
        case State::publishing:
            if (!std::holds_alternative<Tick>(event)) {
                return wrong_order();
            }
            state_ = State::saving;
            return Save{};
        case State::saving:
            if (auto const* saved = std::get_if<Saved>(&event)) {
                return on_saved(*saved);
            }
            return wrong_order();
        case State::failing:
            if (auto const* written = std::get_if<FailureWritten>(&event)) {
                return on_failure(*written);
            }
            return wrong_order();
        case State::backing_off:
            if (!std::holds_alternative<BackedOff>(event)) {
                return wrong_order();
            }
            return give_up(tell_, up_to_seconds(tell_wait_));
        case State::waiting:
            if (!std::holds_alternative<Tick>(event)) {
                return wrong_order();
            }
            state_ = after_wait_;
            return pending_;
        case State::finished:
            break;
    }
    return wrong_order();
}

Action Machine::begin(Event const& event) {
    if (auto const* replayed = std::get_if<Replayed>(&event)) {
        row_ = replayed->row;
        spooled_ = true;
        replaying_ = true;
        state_ = State::parsing;
        return Parse{};
    }
    if (!std::holds_alternative<Start>(event)) {
        return wrong_order();
    }
    return reload();
}

Action Machine::on_loaded(Loaded const& event, Moment const& now) {
    if (!event.row) {
        return give_up(ErrorCode::connection_unknown);
    }
    row_ = event.row;
    switch (row_->state) {
        case ConnectionState::pending:
            return give_up(ErrorCode::connection_pending);
        case ConnectionState::reauth_required:
            // The token that was faster than ours has been refused since: ours takes its place.
            if (superseded_ && !row_->sealed_alt_refresh.empty()) {
                state_ = State::saving;
                return Save{};
            }
            return ask_to_sign_in(row_->reason);
        case ConnectionState::quarantined:
            return give_up(ErrorCode::quarantined);
        case ConnectionState::disconnected:
            return give_up(ErrorCode::disconnected);
        case ConnectionState::active:
        case ConnectionState::uncertain:
        case ConnectionState::host_blocked:
            break;
    }
    if (row_->generation > generation_) {
        state_ = State::finished;
        return Done{};
    }
    if (replaying_) {
        return give_up(ErrorCode::refresh_pending);
    }
    if (row_->sealed_refresh.empty()) {
        return give_up(ErrorCode::session_only);
    }
    if (row_->next_attempt_at && *row_->next_attempt_at > now.wall) {
        return give_up(ErrorCode::refresh_pending,
                       up_to_seconds(*row_->next_attempt_at - now.wall));
    }
    state_ = State::claiming;
    claim_started_ = now.steady;
    return Claim{};
}

Action Machine::on_claim(Event const& event, Moment const& now) {
    if (auto const* claimed = std::get_if<Claimed>(&event)) {
        row_ = claimed->row;
        state_ = State::sending;
        return Send{claim_started_ + limits_.send_before};
    }
    auto const* const refused = std::get_if<NotAdmitted>(&event);
    bool const its_turn_comes = refused && refused->code == ErrorCode::refresh_pending;
    if (refused && !its_turn_comes) {
        return give_up(refused->code, up_to_seconds(refused->wait));
    }
    if (!refused && !std::holds_alternative<NotClaimed>(event)) {
        return wrong_order();
    }
    if (!poll_until_) {
        poll_until_ = now.steady + limits_.poll_for;
    }
    if (now.steady >= *poll_until_) {
        return give_up(ErrorCode::refresh_pending, Seconds(2));
    }
    return wait(its_turn_comes ? refused->wait : limits_.poll, State::loading, Load{});
}

Action Machine::on_sent(Event const& event, Moment const& now) {
    if (std::holds_alternative<Answered>(event)) {
        state_ = State::spooling;
        return SpoolAnswer{};
    }
    if (auto const* not_sent = std::get_if<NotSent>(&event)) {
        BackOffPlan plan{Spent::no, not_sent->code,
                         policy_.transient_wait(row_->fail_count, now.dice)};
        if (not_sent->code == ErrorCode::tls_failed) {
            plan.state = ConnectionState::host_blocked;
            plan.tell = ErrorCode::host_blocked;
        }
        return back_off(plan, now);
    }
    if (auto const* lost = std::get_if<MaybeSent>(&event)) {
        return maybe_spent(lost->code, lost->end_seen, std::nullopt, now);
    }
    return wrong_order();
}

Action Machine::on_parsed(Parsed const& parsed, Moment const& now) {
    switch (parsed.answer) {
        case AnswerClass::success:
            state_ = spooled_ ? State::publishing : State::saving;
            if (spooled_) {
                return Publish{};
            }
            return Save{};
        case AnswerClass::grant_dead:
            state_ = State::failing;
            return pending_ = Fail{reason_of_death(now), parsed.code};
        case AnswerClass::client_fault: {
            // The wait is the registration's, with the gatekeeper: left in the row, it would
            // outlive the repair.
            BackOffPlan plan{Spent::no, parsed.code, policy_.operator_wait(0)};
            plan.tell = ErrorCode::app_fault;
            plan.counts = false;
            return back_off(plan, now);
        }
        case AnswerClass::refused:
            // One connection's trouble until it is known to be more.
            return back_off({Spent::no, parsed.code, policy_.operator_wait(row_->fail_count),
                             std::nullopt, ErrorCode::refresh_failed},
                            now);
        case AnswerClass::not_spent:
            return back_off({Spent::no, parsed.code,
                             policy_.asked_wait(parsed.retry_after, row_->fail_count,
                                                row_->access_expires_at - now.wall, now.dice)},
                            now);
        case AnswerClass::maybe_spent:
            return maybe_spent(parsed.code, parsed.end_seen, std::nullopt, now);
        case AnswerClass::host_misconfigured:
            // Nothing is followed and nothing sent on; the connection stays as it is (T30).
            return back_off({Spent::no, parsed.code, policy_.operator_wait(row_->fail_count),
                             std::nullopt, ErrorCode::host_misconfigured},
                            now);
        case AnswerClass::host_blocked:
            if (parsed.may_be_spent) {
                return maybe_spent(parsed.code, true, ConnectionState::host_blocked, now);
            }
            return back_off({Spent::no, parsed.code, policy_.operator_wait(row_->fail_count),
                             ConnectionState::host_blocked, ErrorCode::host_blocked},
                            now);
        case AnswerClass::protocol_error:
            return maybe_spent(parsed.code, true, std::nullopt, now);
    }
    return wrong_order();
}

Action Machine::on_saved(Saved const& saved) {
    switch (saved.outcome) {
        case SaveOutcome::saved:
        case SaveOutcome::already_saved:
            state_ = State::finished;
            return Done{};
        case SaveOutcome::superseded:
            superseded_ = true;
            return reload();
        case SaveOutcome::family_changed:
            superseded_ = false;
            return reload();
        case SaveOutcome::gone:
            return give_up(ErrorCode::connection_unknown);
    }
    return wrong_order();
}

Action Machine::on_failure(FailureWritten const& written) {
    // Fenced out: somebody got further, and what they have is better than our failure.
    if (written.fenced_out || written.promoted) {
        return reload();
    }
    return ask_to_sign_in(std::get<Fail>(pending_).reason);
}

Action Machine::on_store_down(Moment const& now) {
    store_failures_ += 1;
    Milliseconds const pause =
        std::min(policy_.transient_wait(store_failures_ - 1, now.dice), limits_.store_retry_max);
    switch (state_) {
        // An answer in hand is kept and retried for ever: the grant lives in it. A back-off too: as
        // long as it is not written, nothing holds the token back from being presented again.
        case State::saving:
            return wait(pause, State::saving, Save{});
        case State::failing:
        case State::backing_off:
            return wait(pause, state_, pending_);
        case State::loading:
        case State::claiming:
            return give_up(ErrorCode::store_unavailable, up_to_seconds(pause));
        default:
            return wrong_order();
    }
}

Action Machine::maybe_spent(ErrorCode code, bool end_seen, std::optional<ConnectionState> state,
                            Moment const& now) {
    auto const outcome = UnknownOutcome::of(*row_, end_seen, now.wall);
    Milliseconds const pause = policy_.present_again_at(outcome, now.wall, now.dice) - now.wall;
    return back_off({Spent::maybe, code, pause, state, ErrorCode::refresh_pending}, now);
}

Action Machine::back_off(BackOffPlan const& plan, Moment const& now) {
    state_ = State::backing_off;
    tell_ = plan.tell;
    tell_wait_ = plan.wait;
    BackOff write;
    write.spent = plan.spent;
    write.next_attempt_at = now.wall + plan.wait;
    write.last_error = std::string(info_of(plan.code).name);
    write.state = plan.state;
    write.now = now.wall;
    write.counts = plan.counts;
    return pending_ = WriteBackOff{std::move(write), plan.code};
}

Action Machine::wait(Milliseconds pause, State then, Action action) {
    state_ = State::waiting;
    after_wait_ = then;
    pending_ = std::move(action);
    return Wait{pause};
}

Action Machine::reload() {
    state_ = State::loading;
    spooled_ = false;
    return Load{};
}

Action Machine::give_up(ErrorCode code, std::optional<Seconds> retry_after) {
    state_ = State::finished;
    return GiveUp{code, retry_after, ReauthReason::none};
}

Action Machine::ask_to_sign_in(ReauthReason reason) {
    state_ = State::finished;
    return GiveUp{ErrorCode::reauth_required, std::nullopt, reason};
}

Action Machine::wrong_order() {
    assert(false && "an event that the last action cannot have caused");
    return give_up(ErrorCode::internal);
}

ReauthReason Machine::reason_of_death(Moment const& now) const {
    if (row_->reason == ReauthReason::restored) {
        return ReauthReason::restored;
    }
    if (row_->intent && row_->intent->presented > 1) {
        return ReauthReason::outcome_lost;
    }
    if (row_->session_ends_at && *row_->session_ends_at <= now.wall) {
        return ReauthReason::session_ended;
    }
    if (row_->refresh_expires_at && *row_->refresh_expires_at <= now.wall) {
        return ReauthReason::expired_idle;
    }
    return ReauthReason::revoked;
}

}  // namespace brickgate::refresh
