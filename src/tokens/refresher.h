// SPDX-License-Identifier: Apache-2.0
#pragma once
// Gives valid access tokens and keeps grants alive: drives one refresh machine per connection with
// vault, spool and HTTP, one flight for all who ask. Lives on the control executor (token() must be
// called there; the hot path asks TokenCache directly from any thread). A caller that leaves
// cancels nothing.

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "databricks/registration.h"
#include "net/http_client.h"
#include "net/single_flight.h"
#include "net/slots.h"
#include "net/timers.h"
#include "tokens/gatekeeper.h"
#include "tokens/refresh_policy.h"
#include "tokens/token_cache.h"
#include "tokens/token_source.h"
#include "vault/spool.h"
#include "vault/vault.h"

namespace brickgate {

struct RefreshCounters {  // read by metrics; only the control executor writes
    std::uint64_t started = 0;
    std::uint64_t succeeded = 0;
    std::uint64_t not_spent = 0;
    std::uint64_t maybe_spent = 0;
    std::uint64_t protocol_error = 0;  // answers that may hold a token and cannot be read
    std::uint64_t reauth_required = 0;
    std::uint64_t app_fault = 0;
    std::uint64_t host_blocked = 0;
    std::uint64_t recovered_from_spool = 0;
    std::uint64_t spool_ahead = 0;      // answers newer than the database: it was rolled back
    std::uint64_t presented_again = 0;  // each explained: the first outcome was unknown
};

class Refresher final : public TokenSource {
 public:
    struct Parts {
        std::vector<std::shared_ptr<Registration const>> const& registrations;
        Vault& vault;
        Spool& spool;
        HttpClient& http;
        TokenCache& cache;
        Clock& clock;
        Random& random;
        Timers& timers;
        RefreshPolicy policy;
        std::string node;
        std::string boot;
        unsigned concurrency_max = 8;
        RefreshRates rates = {};
    };
    explicit Refresher(Parts parts);
    ~Refresher() override;

    Task<Result<TokenView>> token(ConnectionId id, TokenWish wish) override;
    // Refreshes unless the row is already newer than `generation`; what the scheduler and a person
    // call.
    Task<Result<Connection>> refresh(ConnectionId id, std::uint64_t generation);
    // First thing after start, before any claim: own intents and spooled answers (D.6).
    Task<Result<void>> recover(std::vector<SpoolEntry> entries);
    // A grant ended: what is cached of it must not be handed out any more.
    void forget(ConnectionId const& id);
    // The person signed in anew: nothing of the family before is handed out, whatever is in flight.
    void replaced(Connection const& row);
    void stop_claiming();  // SIGTERM: flights in the air are finished, none is started
    Task<void> drained();  // resumes when no flight is in the air

    RefreshCounters const& counters() const { return counters_; }
    Gatekeeper const& gatekeeper() const { return gatekeeper_; }
    RefreshRates const& rates() const { return parts_.rates; }
    // Outages that are over since it was last asked: the one of before the start, a host's, a
    // registration's. What they left overdue is to be spread.
    struct Outage {
        std::optional<std::string> host;
        std::optional<RegistrationId> registration;
    };
    std::vector<Outage> take_ended_outages() { return std::exchange(ended_outages_, {}); }
    // A scan's query that leaves out what would be refused at the door now: were it started all the
    // same, a few closed doors would take every place, second after second.
    DueQuery admissible(Time now, std::size_t limit) const;
    std::size_t in_flight() const { return in_flight_; }

 private:
    friend class RefreshDrive;
    using Outcome = std::shared_ptr<Result<Connection> const>;
    Task<Outcome> join(ConnectionId id,
                       std::uint64_t generation);  // nullptr: the caller's patience ended
    Task<Outcome> fly(ConnectionId id, std::uint64_t generation);
    // The places that one host may take: those of a slow one must leave some to the others.
    std::shared_ptr<Slots> slots_of(std::string const& host);
    Task<Result<void>> recover_answer(SpoolEntry entry);
    void tell_spool_full(Error const& why);  // now and then
    // An answer that told nothing stays in the spool until its generation is resolved.
    void keep_spooled(ConnectionId const& id, std::uint64_t seq);
    void settle_spooled(ConnectionId const& id);
    Task<Result<void>> resolve_intents();
    std::shared_ptr<Registration const> registration_of(Connection const& row) const;
    std::optional<TokenView> cached(ConnectionId const& id, TokenWish const& wish);
    static TokenView make_view(CachedToken const& token, std::string_view text);
    Result<void> remember(Connection const& row);
    void remember(Connection const& row, AccessToken const& token);

    Parts parts_;
    Gatekeeper gatekeeper_;
    RefreshCounters counters_;
    SingleFlight<ConnectionId, Outcome> flights_;
    Slots slots_;
    std::unordered_map<std::string, std::weak_ptr<Slots>> host_slots_;
    std::unordered_map<ConnectionId, std::vector<std::uint64_t>> kept_in_spool_;
    std::size_t in_flight_ = 0;
    std::optional<Instant> spool_full_told_at_;
    std::vector<Outage> ended_outages_ = {Outage{}};
    bool stopping_ = false;
};

}  // namespace brickgate
