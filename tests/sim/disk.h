// SPDX-License-Identifier: Apache-2.0
#pragma once
// A node's disk and the spool on it. The bytes are the real ones (vault/spool_format, sealed
// records), written, synced and read back as the real spool does it; what a crash leaves of what
// was not synced the seed decides. In place of src/vault/spool.cpp, whose thread and files have no
// door yet.
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sim/faults.h"
#include "sim/process.h"
#include "vault/spool.h"

namespace brickgate::sim {

class Disk {
 public:
    explicit Disk(Dice& dice) : dice_(dice) {}

    void write(std::string bytes) { pending_ += std::move(bytes); }
    void sync() { synced_ += std::exchange(pending_, {}); }
    // The sync failed: each thing written may or may not have arrived, and a new file is begun.
    void sync_failed();
    void power_cut();  // what was not synced is cut off somewhere, its end perhaps garbled
    void process_killed() { sync(); }  // the operating system lives and writes it
    std::vector<std::string> const& files() const { return files_; }
    void begin_file();  // as each start does

 private:
    std::string tear(std::string bytes);
    Dice& dice_;
    std::vector<std::string> files_;
    std::string synced_;
    std::string pending_;
};

class SimSpool final : public Spool {
 public:
    struct Tell {  // what the judge hears
        std::function<void(std::string_view answer)> writing;
        std::function<void(std::string_view answer)> durable;
        std::function<void(std::string_view answer)> failed;
    };
    SimSpool(Disk& disk, std::string node, SpoolKeys const& keys, std::shared_ptr<Process> process,
             Random& random, Faults& faults, Dice& dice, Break broken, Tell tell,
             std::function<void()> at_door);

    Result<std::shared_ptr<Reservation>> reserve() override;
    Task<Result<std::uint64_t>> append(std::shared_ptr<Reservation> room, SpoolIdentity identity,
                                       Time received_at, Secret answer) override;
    void committed(std::uint64_t seq, Time now) override;
    void trim(Time now) override;
    std::vector<SpoolEntry> take_unresolved() override { return std::move(unresolved_); }
    std::map<std::uint32_t, std::uint64_t> count_by_key() override { return {}; }
    std::vector<std::string> refresh_tokens() const;  // in what is unresolved

 private:
    void read();
    Disk& disk_;
    std::string node_;
    SpoolKeys const& keys_;
    std::shared_ptr<Process> process_;
    Random& random_;
    Faults& faults_;
    Dice& dice_;
    Break broken_;
    Tell tell_;
    std::function<void()> at_door_;
    std::uint64_t next_seq_ = 1;
    std::vector<SpoolEntry> unresolved_;
};

}  // namespace brickgate::sim
