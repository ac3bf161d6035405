// SPDX-License-Identifier: Apache-2.0
// How a flight ends in the database: saved, backed off or given up, each with its event (D.5 T4,
// T5).
#include "base/failpoint.h"
#include "base/log.h"
#include "events/event.h"
#include "tokens/refresh_drive.h"

namespace brickgate {

NewTokens RefreshDrive::new_tokens() {
    NewTokens fresh;
    fresh.tokens = tokens_->clone();
    fresh.received_at = asked_at_;
    // Counted from its issue: an old one that is kept goes on ageing.
    bool const rotated = tokens_->refresh &&
                         !(presented_ && tokens_->refresh->secret().ct_equal(presented_->secret()));
    fresh.refresh_expires_at = row_->refresh_expires_at;
    if (rotated && registration_ && registration_->refresh_token_life > Seconds(0)) {
        fresh.refresh_expires_at = asked_at_ + registration_->refresh_token_life;
    }
    fresh.refresh_due_at =
        parts_.policy.due_at(asked_at_, tokens_->expires_at, parts_.random.unit());
    return fresh;
}

Task<refresh::Event> RefreshDrive::save() {
    std::vector<EventRow> events;
    bool const recovered = row_->state != ConnectionState::active;
    if (recovered) {
        events.push_back(connection_recovered(parts_.clock.now(), *row_));
    }
    auto saved = co_await parts_.vault.save(*row_, attempt_, new_tokens(),
                                            presented_ ? &*presented_ : nullptr, std::move(events));
    if (!saved) {
        co_return failure_of(saved.error());
    }
    failpoint("K11");
    if (saved->outcome == SaveOutcome::family_changed || saved->outcome == SaveOutcome::gone) {
        // It was published before this was known.
        parts_.cache.end(id_, row_->family);
    }
    if (saved->row) {
        row_ = std::move(saved->row);
    }
    settle_spooled();
    co_return refresh::Saved{saved->outcome};
}

Task<refresh::Event> RefreshDrive::write_failure(ReauthReason reason, ErrorCode code) {
    Time const now = parts_.clock.now();
    std::vector<EventRow> events;
    events.push_back(connection_reauth_required(now, *row_, reason));
    failpoint("K13");
    auto written = co_await parts_.vault.fail_fenced(
        fence(), reason, std::string(info_of(code).name), std::move(events));
    failpoint("K13b");
    if (!written) {
        co_return failure_of(written.error());
    }
    if (written->fenced_out) {
        // The outcome stays open, but a refusal is no answer that somebody could still use.
        if (spool_seq_) {
            parts_.spool.committed(*spool_seq_, now);
        }
        co_return refresh::FailureWritten{.fenced_out = true};
    }
    settle_spooled();
    if (!written->promoted) {
        owner_.counters_.reauth_required += 1;
        owner_.forget(id_);
        log(LogLevel::warning, "reauth_required",
            "This grant has ended; the person must sign in again.",
            {{"connection", id_.value()}, {"reason", to_string(reason)}});
    }
    co_return refresh::FailureWritten{.promoted = written->promoted};
}

Task<refresh::Event> RefreshDrive::write_back_off(BackOff back_off, ErrorCode code) {
    Time const now = parts_.clock.now();
    std::vector<EventRow> events;
    if (back_off.state == ConnectionState::host_blocked &&
        row_->state != ConnectionState::host_blocked) {
        events.push_back(host_blocked(now, *row_, code));
    }
    if (protocol_error_) {
        events.push_back(connection_protocol_error(now, *row_, code));
    }
    if (auto const fault = owner_.gatekeeper_.fault_of(row_->registration);
        fault && fault->count == 1 && fault->code == code) {
        events.push_back(registration_app_fault(now, row_->registration, code));
    }
    bool const keep_in_spool = back_off.spent == Spent::maybe;
    auto written = co_await parts_.vault.back_off(fence(), std::move(back_off), std::move(events));
    if (!written) {
        co_return failure_of(written.error());
    }
    if (spool_seq_ && keep_in_spool) {
        owner_.keep_spooled(id_, *spool_seq_);
    } else if (spool_seq_) {
        parts_.spool.committed(*spool_seq_, now);
    }
    co_return refresh::BackedOff{};
}

void RefreshDrive::settle_spooled() {
    if (spool_seq_) {
        parts_.spool.committed(*spool_seq_, parts_.clock.now());
    }
    owner_.settle_spooled(id_);
}

refresh::Event RefreshDrive::failure_of(Error const& error) const {
    bool const sealed =
        error.code() == ErrorCode::vault_error || error.code() == ErrorCode::vault_unknown_key;
    if (!sealed) {
        return refresh::StoreDown{error.code()};
    }
    log(LogLevel::error, info_of(error.code()).name,
        "A sealed record does not open; this connection is not refreshed.",
        {{"connection", id_.value()}});
    return refresh::VaultFailed{error.code()};
}

Fence RefreshDrive::fence() const {
    return {id_, row_->family, row_->generation, row_->lease.epoch, parts_.node, attempt_};
}

}  // namespace brickgate
