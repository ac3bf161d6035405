// SPDX-License-Identifier: Apache-2.0
#include "vault/key_rotation.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "vault/data_key.h"
#include "vault/reseal.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t batch_rows = 100;
constexpr Milliseconds pause = 10ms;  // between batches: refreshes have the database meanwhile
constexpr Milliseconds pause_after_failure = 1s;

std::string counted(std::uint64_t count, std::string const& what) {
    return std::to_string(count) + " " + what;
}

bool seals_rows(KeyRow const& key) {
    return key.purpose == "token" || key.purpose == "login";
}

// Why a key in this state is not for retiring; empty: it may be.
std::string why_kept(KeyRow const& key) {
    std::string const name = "Key " + std::to_string(key.id);
    if (key.purpose == "api_mac" || key.purpose == "index") {
        return name +
               " is never retired: every API key and capability that was handed out hangs "
               "on it.";
    }
    return key.state == key_state::decrypt_only
               ? ""
               : name + " seals what is new: brickgate keys rotate makes another.";
}

}  // namespace

KeyRotation::KeyRotation(Parts parts)
    : parts_(parts),
      resealed_(parts_.metrics.counter("brickgate_rows_resealed_total",
                                       "Rows sealed anew under a new data key.")),
      under_way_(parts_.metrics.gauge("brickgate_key_rotation_running",
                                      "Whether records are being sealed anew.")) {}

std::uint64_t KeyRotation::spooled_under(std::uint32_t id) {
    auto const counts = parts_.spool.count_by_key();
    auto const found = counts.find(id);
    return found == counts.end() ? 0 : found->second;
}

Task<Result<KeyRotation::State>> KeyRotation::state() {
    std::vector<KeyUse> uses;
    for (auto& row : parts_.keyring.rows()) {
        row.wrapped.clear();
        uses.push_back({std::move(row), {}, 0});
    }
    StoreJob const job = [&uses](StoreTransaction& store) -> Result<void> {
        for (auto& use : uses) {
            auto const counts = store.count_sealed_under(use.key.id);
            if (!counts) {
                return fail(counts.error());
            }
            use.records = *counts;
        }
        return {};
    };
    if (auto const ran = co_await parts_.runner.run(job); !ran) {
        co_return fail(ran.error());
    }
    for (auto& use : uses) {
        use.spooled = spooled_under(use.key.id);
    }
    co_return State{std::move(uses), progress_};
}

Task<Result<void>> KeyRotation::commit(Keyring::Rows rows, std::string failpoint_name,
                                       std::optional<StoreJob> first) {
    if (changing_) {
        co_return fail(ErrorCode::store_conflict, "The key ring is being changed by another.");
    }
    changing_ = true;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        if (first) {
            if (auto const allowed = (*first)(store); !allowed) {
                return allowed;
            }
        }
        auto const written = parts_.keyring.write(store, rows);
        failpoint(failpoint_name);
        return written;
    };
    auto const ran = co_await parts_.runner.run(job);
    changing_ = false;
    if (!ran) {
        co_return ran;
    }
    failpoint(failpoint_name + "b");
    co_return parts_.keyring.adopt(std::move(rows));
}

Task<Result<void>> KeyRotation::rotate() {
    auto rows =
        parts_.keyring.with_new_keys(parts_.keyring.rows(), parts_.clock.now(), parts_.random);
    auto const made = co_await commit(std::move(rows), "R1");
    if (!made) {
        co_return made;
    }
    auto const active = co_await activate();
    if (active) {
        log(LogLevel::info, "keys_rotated", "New data keys seal from now on.");
    }
    co_return active;
}

Task<Result<void>> KeyRotation::activate() {
    auto rows = parts_.keyring.rows();
    std::vector<std::string> renewed;
    for (auto const& row : rows) {
        if (row.state == key_state::pending) {
            renewed.push_back(row.purpose);
        }
    }
    if (renewed.empty()) {
        co_return Result<void>{};
    }
    for (auto& row : rows) {
        if (row.state == key_state::pending) {
            row.state = key_state::active;
        } else if (row.state == key_state::active &&
                   std::ranges::find(renewed, row.purpose) != renewed.end()) {
            row.state = key_state::decrypt_only;
        }
    }
    co_return co_await commit(std::move(rows), "R3");
}

Task<Result<void>> KeyRotation::resume() {
    return activate();
}

Task<void> KeyRotation::reseal() {
    if (progress_.running) {
        co_return;
    }
    progress_ = Progress{true, 0, 0};
    under_way_.set(1);
    // A rotation that is begun meanwhile makes former keys more.
    for (std::size_t done = 0; !stopping_ && done < parts_.keyring.rows().size(); ++done) {
        auto const key = parts_.keyring.rows()[done];
        if (key.state == key_state::decrypt_only && seals_rows(key)) {
            co_await reseal_from(key);
        }
    }
    progress_.running = false;
    under_way_.set(0);
    if (!stopping_ && progress_.resealed + progress_.unreadable > 0) {
        log(progress_.unreadable > 0 ? LogLevel::error : LogLevel::info, "rows_resealed",
            "Records were sealed anew; those that do not open stay as they are.",
            {{"rows", progress_.resealed}, {"unreadable", progress_.unreadable}});
    }
}

Task<Result<SealedCounts>> KeyRotation::count_of(std::uint32_t id) {
    SealedCounts counts;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto const counted = store.count_sealed_under(id);
        if (!counted) {
            return fail(counted.error());
        }
        counts = *counted;
        return {};
    };
    if (auto const ran = co_await parts_.runner.run(job); !ran) {
        co_return fail(ran.error());
    }
    co_return counts;
}

Task<void> KeyRotation::reseal_from(KeyRow key) {
    auto const counts = co_await count_of(key.id);
    if (counts && counts->all() == 0) {
        co_return;  // at most starts: no need to look at every row
    }
    ConnectionId after;
    while (!stopping_) {
        auto const batch = key.purpose == "token" ? co_await connections_batch(key.id, after)
                                                  : co_await logins_batch(key.id);
        if (!batch) {
            log(LogLevel::warning, "reseal_failed", batch.error().message(),
                {{"code", batch.error().name()}});
            co_await parts_.timers.sleep_for(pause_after_failure);
            continue;
        }
        note(*batch);
        bool const stuck = key.purpose == "login" && batch->resealed == 0;
        if (batch->found == 0 || stuck) {
            co_return;
        }
        after = batch->last;
        co_await parts_.timers.sleep_for(pause);
    }
}

void KeyRotation::note(Batch const& batch) {
    progress_.resealed += batch.resealed;
    progress_.unreadable += batch.found - batch.resealed;
    resealed_.add(static_cast<double>(batch.resealed));
}

Task<Result<KeyRotation::Batch>> KeyRotation::connections_batch(std::uint32_t key,
                                                                ConnectionId after) {
    Batch batch;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto const rows = store.connections_sealed_under(key, after, batch_rows);
        if (!rows) {
            return fail(rows.error());
        }
        batch = Batch{rows->size(), 0, rows->empty() ? after : rows->back().id};
        if (!rows->empty()) {
            failpoint("R4");
        }
        for (auto const& row : *rows) {
            auto const fresh = resealed(parts_.envelope, row);
            if (!fresh) {
                continue;
            }
            auto const written = store.reseal_connection(row, *fresh);
            if (!written) {
                return fail(written.error());
            }
            batch.resealed += 1;
            failpoint("R4a");
        }
        return {};
    };
    if (auto const ran = co_await parts_.runner.run(job); !ran) {
        co_return fail(ran.error());
    }
    if (batch.found > 0) {
        failpoint("R4b");
    }
    co_return batch;
}

Task<Result<KeyRotation::Batch>> KeyRotation::logins_batch(std::uint32_t key) {
    Batch batch;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto const rows = store.logins_sealed_under(key, batch_rows);
        if (!rows) {
            return fail(rows.error());
        }
        batch = Batch{rows->size(), 0, {}};
        for (auto const& row : *rows) {
            auto const fresh = resealed(parts_.envelope, row);
            if (!fresh) {
                continue;
            }
            auto const written = store.reseal_login(row, *fresh);
            if (!written) {
                return fail(written.error());
            }
            batch.resealed += 1;
            failpoint("R5");
        }
        return {};
    };
    if (auto const ran = co_await parts_.runner.run(job); !ran) {
        co_return fail(ran.error());
    }
    if (batch.found > 0) {
        failpoint("R5b");
    }
    co_return batch;
}

Task<Result<void>> KeyRotation::retire(std::uint32_t id) {
    auto rows = parts_.keyring.rows();
    auto const found = std::ranges::find(rows, id, &KeyRow::id);
    if (found == rows.end() || found->state == key_state::destroyed) {
        co_return fail(ErrorCode::not_found, "There is no such key, or it was retired before.");
    }
    if (auto const why = why_kept(*found); !why.empty()) {
        co_return fail(ErrorCode::key_in_use, why);
    }
    parts_.spool.trim(parts_.clock.now());
    if (auto const spooled = spooled_under(id); spooled > 0) {
        co_return fail(ErrorCode::key_in_use,
                       "Key " + std::to_string(id) + " is still needed: " +
                           counted(spooled, "answers of the spool are sealed with it."));
    }
    found->state = key_state::destroyed;
    found->wrapped.clear();
    // Whatever seals does so in a store job, with the key that was active then: what this count
    // does not see will not come.
    StoreJob const unneeded = [id](StoreTransaction& store) -> Result<void> {
        auto const counts = store.count_sealed_under(id);
        if (!counts) {
            return fail(counts.error());
        }
        failpoint("R6");
        if (counts->all() > 0) {
            return fail(ErrorCode::key_in_use,
                        "Key " + std::to_string(id) + " is still needed: " +
                            counted(counts->all(), "records are sealed with it."));
        }
        store.leave_no_trace();
        return {};
    };
    auto const retired = co_await commit(std::move(rows), "R7", unneeded);
    if (retired) {
        log(LogLevel::info, "key_retired", "A data key is gone for good.", {{"key_id", id}});
    }
    co_return retired;
}

}  // namespace brickgate
