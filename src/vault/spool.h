// SPDX-License-Identifier: Apache-2.0
#pragma once
// The node's own journal of raw token answers, written and synced before anything parses them, so
// that neither a crash nor a database failure costs a token that reached us (D.3, D.5 T3).
// Append-only segments, preallocated; entries sealed under the ring's spool key with their identity
// as associated data. A segment is sealed under one key and closed when the key or its first entry
// is old, so that nothing stays much longer than it must. One object per data folder; append() may
// be called from any executor. Errors: spool_full, store_unavailable, vault_error.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "net/task.h"
#include "vault/spool_keys.h"

namespace brickgate {

enum class SpoolKind : std::uint8_t { refresh = 1, login = 2 };

// Which presentation an answer belongs to: the associated data of its entry.
struct SpoolIdentity {
    SpoolKind kind = SpoolKind::refresh;
    std::string connection;  // a login: the attempt's id
    std::uint64_t family = 0;
    std::uint64_t generation = 0;
    std::string attempt;
};

struct SpoolEntry {
    std::uint64_t seq = 0;
    SpoolIdentity identity;
    Time received_at{};
    Secret answer;  // refresh: status line and body; login: its context as well
};

struct SpoolOptions {
    std::filesystem::path folder;
    std::string node;
    std::size_t segment_bytes = 16 * 1024 * 1024;
    Milliseconds keep_after_commit =
        std::chrono::minutes(15);  // asynchronous replicas, point-in-time mistakes
};

class Spool {
 public:
    // Room for the largest answer, held from before the claim until append() or destruction, so
    // that a full disk refuses a refresh instead of losing one.
    class Reservation;

    virtual ~Spool() = default;
    virtual Result<std::shared_ptr<Reservation>> reserve() = 0;
    // Resumes when the entry is on disk (fdatasync). Several answers share one sync.
    virtual Task<Result<std::uint64_t>> append(std::shared_ptr<Reservation> room,
                                               SpoolIdentity identity, Time received_at,
                                               Secret answer) = 0;
    // The database holds it: may be trimmed keep_after_commit later.
    virtual void committed(std::uint64_t seq, Time now) = 0;
    virtual void trim(Time now) = 0;
    // Entries found at start that no commit was noted for, oldest first. Call once, before any
    // claim.
    virtual std::vector<SpoolEntry> take_unresolved() = 0;
    // Answers in the files, by the key that they are sealed under.
    virtual std::map<std::uint32_t, std::uint64_t> count_by_key() = 0;
};

// Creates the folder (0700); a torn last entry is cut off, a damaged one is set aside and reported
// in the log. The keys must outlive it.
Result<std::unique_ptr<Spool>> open_spool(SpoolOptions options, SpoolKeys const& keys,
                                          Random& random);

}  // namespace brickgate
