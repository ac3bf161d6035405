// SPDX-License-Identifier: Apache-2.0
#include "tokens/refresher.h"

#include "base/log.h"
#include "events/event.h"
#include "oauth/token_endpoint.h"
#include "tokens/refresh_drive.h"
#include "vault/spooled_answer.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds spool_full_told_every = 10s;  // every due connection meets it each second
constexpr unsigned host_share = 4;             // of all places, the part that one host may take
constexpr Milliseconds caller_patience = 30s;  // longer than one refresh: 5 s connect, 20 s in all

Error error_of_state(Connection const& row) {
    switch (row.state) {
        case ConnectionState::reauth_required:
            return Error(ErrorCode::reauth_required,
                         fmt::format("This connection must be signed in again ({}).",
                                     to_string(row.reason)))
                .with_reason(to_string(row.reason));
        case ConnectionState::quarantined:
            return Error(ErrorCode::quarantined,
                         "This connection is held back until it is checked.");
        case ConnectionState::disconnected:
            return Error(ErrorCode::disconnected, "This connection was ended.");
        default:
            return Error(ErrorCode::connection_pending, "This connection was not signed in yet.");
    }
}

bool serves(ConnectionState state) {
    return state == ConnectionState::active || state == ConnectionState::uncertain ||
           state == ConnectionState::host_blocked;
}

// Counts a flight for as long as it lives, however it ends.
class InTheAir {
 public:
    explicit InTheAir(std::size_t& count) : count_(count) { count_ += 1; }
    ~InTheAir() { count_ -= 1; }
    InTheAir(InTheAir const&) = delete;
    InTheAir& operator=(InTheAir const&) = delete;

 private:
    std::size_t& count_;
};

// The row went on without this answer, which brought a refresh token: one step ahead, its last save
// was another's. Further ahead, another token has proved to be the live one.
bool was_overtaken(Connection const& row, SpoolEntry const& entry) {
    if (row.generation != entry.identity.generation + 1 ||
        row.last_attempt == entry.identity.attempt) {
        return false;
    }
    auto const answer = decode_answer(entry.answer);
    auto const tokens = answer ? parse_token_response(*answer, entry.received_at)
                               : Result<TokenSet>(fail(ErrorCode::internal, ""));
    return tokens && tokens->refresh.has_value();
}

Error unknown_connection() {
    return Error(ErrorCode::connection_unknown, "There is no connection with this id.");
}

}  // namespace

Refresher::Refresher(Parts parts)
    : parts_(std::move(parts)), gatekeeper_(parts_.rates), slots_(parts_.concurrency_max) {}

Refresher::~Refresher() = default;

std::optional<TokenView> Refresher::cached(ConnectionId const& id, TokenWish const& wish) {
    std::optional<TokenView> view;
    auto const see = [&](CachedToken const& token, std::string_view text) {
        if (wish.newer_than && token.generation <= *wish.newer_than) {
            return;
        }
        view = make_view(token, text);
    };
    parts_.cache.use(id, parts_.clock.now(), wish.min_valid, see);
    return view;
}

TokenView Refresher::make_view(CachedToken const& token, std::string_view text) {
    return {Secret::copy_of(text), token.token_type,   token.expires_at,
            token.generation,      token.fingerprint,  token.scopes,
            token.workspace,       token.session_only, token.workspace_id};
}

void Refresher::remember(Connection const& row, AccessToken const& token) {
    CachedToken const known{.token_type = row.token_type,
                            .scopes = row.scopes.to_string(),
                            .workspace = row.workspace,
                            .fingerprint = row.current_fingerprint,
                            .family = row.family,
                            .generation = row.generation,
                            .issued_at = row.access_issued_at,
                            .expires_at = row.access_expires_at,
                            .session_only = row.sealed_refresh.empty(),
                            .workspace_id = row.workspace_id};
    parts_.cache.put(row.id, known, token.secret());
}

Result<void> Refresher::remember(Connection const& row) {
    auto const token = parts_.vault.open_access(row);
    if (!token) {
        return fail(token.error());
    }
    remember(row, *token);
    return {};
}

Task<Result<TokenView>> Refresher::token(ConnectionId id, TokenWish wish) {
    // Twice, because the flight joined may have been for an older generation than the caller's row.
    Error last = Error(ErrorCode::refresh_pending, "A fresh token is on its way.");
    for (int round = 0; round < 2; ++round) {
        if (auto view = cached(id, wish)) {
            co_return std::move(*view);
        }
        auto const row = co_await parts_.vault.find(id);
        if (!row) {
            co_return fail(row.error());
        }
        if (!*row) {
            co_return fail(unknown_connection());
        }
        if (!serves((*row)->state)) {
            co_return fail(error_of_state(**row));
        }
        // A promoted alternative may have come without an access token that opens.
        if (!(*row)->sealed_access.empty()) {
            if (auto const opened = remember(**row); !opened) {
                co_return fail(opened.error());
            }
        }
        if (auto view = cached(id, wish)) {
            co_return std::move(*view);
        }

        auto const outcome = co_await join(id, (*row)->generation);
        if (auto view = cached(id, wish)) {
            co_return std::move(*view);
        }
        if (outcome && !*outcome) {
            last = outcome->error();
            break;
        }
    }
    // Failing to refresh ahead is not the caller's failure while the old token is good.
    bool const any_will_do = wish.min_valid == Seconds(0) && !wish.newer_than;
    std::optional<TokenView> old;
    if (any_will_do && last.code() != ErrorCode::reauth_required) {
        parts_.cache.use_any_valid(
            id, parts_.clock.now(),
            [&](CachedToken const& token, std::string_view text) { old = make_view(token, text); });
    }
    if (old) {
        co_return std::move(*old);
    }
    co_return fail(std::move(last));
}

Task<Result<Connection>> Refresher::refresh(ConnectionId id, std::uint64_t generation) {
    auto const outcome = co_await join(id, generation);
    if (!outcome) {
        co_return fail(ErrorCode::refresh_pending, "The refresh takes longer than expected.");
    }
    co_return *outcome;
}

Task<Refresher::Outcome> Refresher::join(ConnectionId id, std::uint64_t generation) {
    auto work = [this, id, generation] { return fly(id, generation); };
    auto flight = flights_.join(id, std::move(work));
    auto outcome = co_await with_timeout(std::move(flight), caller_patience, parts_.timers);
    if (!outcome) {
        co_return nullptr;
    }
    co_return std::move(*outcome);
}

Task<Refresher::Outcome> Refresher::fly(ConnectionId id, std::uint64_t generation) {
    InTheAir const counted(in_flight_);
    auto const row = co_await parts_.vault.find(id);
    if (!row) {
        co_return std::make_shared<Result<Connection> const>(fail(row.error()));
    }
    if (!*row) {
        co_return std::make_shared<Result<Connection> const>(fail(unknown_connection()));
    }
    // The host's place first: whoever waits for it holds nothing that others need.
    auto const at_host = slots_of((*row)->workspace);
    auto const turn = co_await at_host->take();
    auto const place = co_await slots_.take();
    RefreshDrive drive(*this, id, refresh::Machine(generation, parts_.policy));
    co_return std::make_shared<Result<Connection> const>(co_await drive.run(refresh::Start{}));
}

std::shared_ptr<Slots> Refresher::slots_of(std::string const& host) {
    auto const known = host_slots_.find(host);
    if (auto slots = known == host_slots_.end() ? nullptr : known->second.lock()) {
        return slots;
    }
    std::erase_if(host_slots_, [](auto const& entry) { return entry.second.expired(); });
    auto slots = std::make_shared<Slots>(std::max(1U, parts_.concurrency_max / host_share));
    host_slots_[host] = slots;
    return slots;
}

std::shared_ptr<Registration const> Refresher::registration_of(Connection const& row) const {
    for (auto const& registration : parts_.registrations) {
        if (registration->id == row.registration) {
            return registration;
        }
    }
    return nullptr;
}

void Refresher::replaced(Connection const& row) {
    parts_.cache.end(row.id, row.family - 1);
}

DueQuery Refresher::admissible(Time now, std::size_t limit) const {
    DueQuery query{now, limit, gatekeeper_.closed_hosts(now), std::vector<RegistrationId>()};
    for (auto const& registration : parts_.registrations) {
        if (!gatekeeper_.at_fault(registration->id, now)) {
            query.registrations->push_back(registration->id);
        }
    }
    return query;
}

void Refresher::forget(ConnectionId const& id) {
    parts_.cache.forget(id);
}

void Refresher::stop_claiming() {
    stopping_ = true;
}

Task<void> Refresher::drained() {
    while (in_flight_ > 0) {
        co_await parts_.timers.sleep_for(20ms);
    }
}

Task<Result<void>> Refresher::recover(std::vector<SpoolEntry> entries) {
    for (auto& entry : entries) {
        auto const recovered = co_await recover_answer(std::move(entry));
        if (!recovered) {
            co_return recovered;
        }
    }
    co_return co_await resolve_intents();
}

// A good answer is good whoever holds the intent now: what counts is the generation.
Task<Result<void>> Refresher::recover_answer(SpoolEntry entry) {
    auto const& identity = entry.identity;
    auto const found = co_await parts_.vault.find(ConnectionId(identity.connection));
    if (!found) {
        co_return fail(found.error());
    }
    auto const& row = *found;
    bool const passed = !row || row->family != identity.family ||
                        row->state == ConnectionState::disconnected ||
                        (row->generation > identity.generation && !was_overtaken(*row, entry));
    if (passed) {  // saved before the crash, or a newer sign-in took its place
        parts_.spool.committed(entry.seq, parts_.clock.now());
        co_return Result<void>{};
    }
    if (row->generation < identity.generation) {
        counters_.spool_ahead += 1;
        log(LogLevel::error, "spool_ahead",
            "The spool has an answer that is newer than the database: an older copy of it was put "
            "back. The answer is left where it is.",
            {{"connection", identity.connection},
             {"generation", identity.generation},
             {"generation_in_database", row->generation}});
        co_return Result<void>{};
    }
    auto answer = decode_answer(entry.answer);
    if (!answer) {
        co_return Result<void>{};  // left where it is; other connections are not held up
    }
    log(LogLevel::info, "refresh_recovered",
        "An answer that a crash had left in the spool is being kept.",
        {{"connection", identity.connection}});
    counters_.recovered_from_spool += 1;
    Connection asked = *row;
    asked.generation = identity.generation;
    RefreshDrive drive(*this, row->id, refresh::Machine(asked.generation, parts_.policy));
    drive.take_answer(entry.seq, identity.attempt, entry.received_at, std::move(*answer));
    auto const done = co_await drive.run(refresh::Replayed{std::move(asked)});
    if (!done && done.error().code() == ErrorCode::store_unavailable) {
        co_return fail(done.error());
    }
    co_return Result<void>{};
}

void Refresher::tell_spool_full(Error const& why) {
    Instant const now = parts_.clock.steady();
    if (spool_full_told_at_ && now < *spool_full_told_at_ + spool_full_told_every) {
        return;
    }
    spool_full_told_at_ = now;
    log(LogLevel::error, "spool_full",
        "No refresh is begun, because its answer could not be kept safe.",
        {{"reason", why.name()}});
}

void Refresher::keep_spooled(ConnectionId const& id, std::uint64_t seq) {
    kept_in_spool_[id].push_back(seq);
}

void Refresher::settle_spooled(ConnectionId const& id) {
    auto const kept = kept_in_spool_.extract(id);
    if (!kept) {
        return;
    }
    for (auto const seq : kept.mapped()) {
        parts_.spool.committed(seq, parts_.clock.now());
    }
}

Task<Result<void>> Refresher::resolve_intents() {
    std::vector<Connection> open;
    StoreJob const find = [this, &open](StoreTransaction& store) -> Result<void> {
        auto rows = store.connections_with_intent_of(parts_.node);
        if (!rows) {
            return fail(rows.error());
        }
        open = std::move(*rows);
        return {};
    };
    auto const found = co_await parts_.vault.transact(find);
    if (!found) {
        co_return found;
    }
    Time const now = parts_.clock.now();
    for (auto const& row : open) {
        if (row.intent->boot == parts_.boot || row.intent->generation != row.generation) {
            continue;
        }
        if (!row.lease.until) {
            continue;  // its outcome was noted before the crash
        }
        Fence const fence{row.id,          row.family,       row.generation,
                          row.lease.epoch, row.intent->node, row.intent->attempt};
        BackOff note;
        note.spent = Spent::maybe;
        auto const outcome = UnknownOutcome::of(row, false, now);
        note.next_attempt_at = parts_.policy.present_again_at(outcome, now, parts_.random.unit());
        note.last_error = std::string(info_of(ErrorCode::outcome_unknown).name);
        note.now = now;
        std::vector<EventRow> no_events;
        auto const written = co_await parts_.vault.back_off(fence, note, std::move(no_events));
        if (!written) {
            co_return fail(written.error());
        }
        log(LogLevel::warning, "refresh_uncertain",
            "A refresh was cut off by the last run's end; its outcome is unknown and it will be "
            "tried once more.",
            {{"connection", row.id.value()}});
    }
    co_return Result<void>{};
}

}  // namespace brickgate
