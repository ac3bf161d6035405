// SPDX-License-Identifier: Apache-2.0
#pragma once
// The life of data keys (security design C.6): a new one for each purpose, records sealed anew in
// the background, and the end of a key that nothing needs. Every step is one commit, so that a
// crash anywhere leaves records that open and a rotation that goes on at the next start. Refreshes
// win: a record that changed meanwhile is sealed with the new key already. Owned by the composition
// root; control executor. Errors: key_in_use, not_found, store_conflict, store_unavailable.
#include <optional>
#include <string>
#include <vector>

#include "net/metrics.h"
#include "net/task.h"
#include "net/timers.h"
#include "vault/envelope.h"
#include "vault/spool.h"
#include "vault/vault.h"

namespace brickgate {

class KeyRotation {
 public:
    struct Parts {
        Keyring& keyring;
        Envelope& envelope;
        StoreRunner& runner;
        Spool& spool;
        Clock& clock;
        Random& random;
        Timers& timers;
        Metrics& metrics;
    };
    explicit KeyRotation(Parts parts);

    struct KeyUse {
        KeyRow key;  // without what is wrapped
        SealedCounts records;
        std::uint64_t spooled = 0;
    };
    struct Progress {
        bool running = false;
        std::uint64_t resealed = 0;    // rows, since the rotation began or went on
        std::uint64_t unreadable = 0;  // rows that do not open, and are left as they are
    };
    struct State {
        std::vector<KeyUse> keys;
        Progress progress;
    };
    Task<Result<State>> state();

    // New keys are active and the former ones open only (R1 to R3). Whether records are to be
    // sealed anew: then reseal() is to be spawned.
    Task<Result<void>> rotate();
    // Goes on with what a crash cut off: a pending key becomes active. Before anything is sealed.
    Task<Result<void>> resume();
    // Until no record that opens is under a former key, or stop() (R4, R5).
    Task<void> reseal();
    // Refused while anything is sealed under it, the spool included (R6, R7).
    Task<Result<void>> retire(std::uint32_t id);
    void stop() { stopping_ = true; }

    // One change of the ring at a time; also root_rotation's way in. `after`: what the rows are to
    // be, told the failpoint's name of the commit.
    Task<Result<void>> commit(Keyring::Rows rows, std::string failpoint_name,
                              std::optional<StoreJob> first = {});

 private:
    struct Batch {
        std::size_t found = 0;
        std::size_t resealed = 0;
        ConnectionId last;
    };
    Task<Result<void>> activate();
    Task<Result<SealedCounts>> count_of(std::uint32_t id);
    Task<void> reseal_from(KeyRow key);
    Task<Result<Batch>> connections_batch(std::uint32_t key, ConnectionId after);
    Task<Result<Batch>> logins_batch(std::uint32_t key);
    void note(Batch const& batch);
    std::uint64_t spooled_under(std::uint32_t id);

    Parts parts_;
    Progress progress_;
    bool changing_ = false;
    bool stopping_ = false;
    Counter& resealed_;
    Gauge& under_way_;
};

}  // namespace brickgate
